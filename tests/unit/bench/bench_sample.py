"""Results of tasks as a run reports them."""

from __future__ import annotations

from rackwright.operations.events import TaskResult


def task(action: str, status: str = "ok", *, host: str = "data1", **result: object) -> TaskResult:
    return TaskResult(
        host=host,
        play="Play",
        role="role",
        task=f"do {action}",
        action=action,
        status=status,
        seconds=0.1,
        result=result,
    )


CLUSTER = {
    "version": "17",
    "name": "main",
    "port": 5432,
    "data_directory": "/var/lib/postgresql/17/main",
    "locale": "C.UTF-8",
}
RUN = [
    task("host_facts", ansible_facts={}),
    task("ansible.builtin.assert", msg="fine"),
    task(
        "packages",
        "changed",
        items=[
            {"name": "/etc/apt/apt.conf.d/00proxy", "changed": True},
            {"name": "ca-certificates", "changed": False},
            {"name": "redis-server", "changed": True},
        ],
    ),
    task("packages", items=[], skipped_call=True),
    task(
        "managed_files",
        "changed",
        items=[
            {"dest": "/etc/redis", "changed": False},
            {"dest": "/etc/redis/redis.conf", "changed": True},
            {"dest": "sysctl:net.core.somaxconn", "changed": True},
        ],
    ),
    task("units", "changed", items=[{"name": "redis-server.service", "changed": True}]),
    task("certificates", items=[{"service": "redis", "changed": False}]),
    task("firewall", "changed", reasons=["the rules are new"]),
    task("postgresql_cluster", "changed", reason="created", invocation={"module_args": CLUSTER}),
    task("postgresql_objects", "changed", items=[{"kind": "role", "name": "app", "actions": ["created"]}]),
    task("ansible.builtin.command", rc=0),
]
