"""From the results of tasks to a plan: what each block says becomes one vocabulary."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rackwright.operations.events import TaskResult
from rackwright.plan.collect import hosts_of, troubles_of
from rackwright.plan.downtime import Served, Timed, downtimes, service_of, timed_restarts
from rackwright.plan.firewall_words import changed_flows, flows_of
from rackwright.plan.make import plan_of, without_secrets
from rackwright.plan.model import Difference, HostPlan, Item, Plan, ServicePlan

RULES = """
table inet rackwright {
	set management_4 {
		type ipv4_addr
		flags interval
		elements = { %s }
	}

	set in_redis_4 {
		type ipv4_addr
		flags interval
		elements = { 10.0.20.11, 10.0.30.0/24 }
	}

	chain input {
		type filter hook input priority filter; policy drop;
		iifname "lo" accept
		meta l4proto { icmp, icmpv6 } jump icmp_in
		ip saddr @management_4 tcp dport 22 counter accept comment "management"
	}

	chain published {
		ip saddr @in_redis_4 meta l4proto tcp ct original proto-dst 8080 counter accept comment "llama: api"
	}

	chain inbound {
		ip saddr @in_redis_4 tcp dport 6379 counter accept comment "redis: tls"
		%s
	}

	chain outbound {
		ip daddr @in_redis_4 udp dport 123 counter accept comment "time"
	}

	chain icmp_in {
		ip saddr @in_redis_4 icmp type echo-request accept
	}
}
"""
BEFORE = RULES % ("10.0.40.1", "")
AFTER = RULES % (
    "10.0.40.1, 10.9.0.0/24",
    'meta nfproto ipv4 tcp dport 443 counter accept comment "nginx: https"',
)


def result(
    action: str, role: str = "redis", host: str = "data1", status: str = "changed", **res: object
) -> TaskResult:
    return TaskResult(host, "play", role, f"do {action}", action, status, 1.0, {"changed": True, **res})


def told(*results: TaskResult) -> list[tuple[str, str, str, str, str]]:
    return [
        (part.service, item.kind, item.name, item.action, item.detail)
        for host in hosts_of(results)
        for part in host.services
        for item in part.items
    ]


def test_files_accounts_and_kernel_settings() -> None:
    items = [
        {"dest": "/etc/a", "changed": True, "reason": "content", "diff": {"before": "1\n", "after": "2\n"}},
        {"dest": "/etc/b", "changed": False, "reason": ""},
        {"dest": "/etc/c", "changed": True, "reason": "removed"},
        {"dest": "user:redis", "changed": True, "reason": "created"},
        {"dest": "sysctl:net.core.somaxconn", "changed": True, "reason": "set to 4096"},
    ]
    found = result("managed_files", items=items)
    assert told(found) == [
        ("redis", "file", "/etc/a", "changed", "content"),
        ("redis", "file", "/etc/c", "removed", "removed"),
        ("redis", "user", "redis", "created", "created"),
        ("redis", "kernel_setting", "net.core.somaxconn", "changed", "set to 4096"),
    ]
    (host,) = hosts_of([found])
    assert host.items[0].diff == Difference("1\n", "2\n")


def test_a_directory_that_several_roles_name_is_made_once() -> None:
    items = [{"dest": "/etc/rackwright", "changed": True, "reason": "created"}]
    found = told(result("managed_files", "base", items=items), result("managed_files", "app", items=items))
    assert found == [("base", "file", "/etc/rackwright", "created", "created")]


def test_packages() -> None:
    found = result(
        "packages",
        "",
        installed=[
            {"name": "jq", "version": "1.7"},
            {"name": "libc6", "version": "2", "previous": "1"},
            {"name": "x"},
        ],
        removed=[{"name": "exim4", "version": "4"}],
        mended=["dash"],
        items=[{"name": "/etc/apt/apt.conf.d/00x", "changed": True}, {"name": "jq", "changed": True}],
    )
    assert told(found) == [
        ("packages", "package", "jq", "installed", "1.7"),
        ("packages", "package", "libc6", "upgraded", "1 -> 2"),
        ("packages", "package", "x", "installed", ""),
        ("packages", "package", "exim4", "removed", "4"),
        ("packages", "package", "dash", "repaired", "left half-done by an interrupted run"),
        ("packages", "file", "/etc/apt/apt.conf.d/00x", "changed", "settings of the package manager"),
    ]


def test_units_say_each_step() -> None:
    entry = {
        "name": "a.service",
        "changed": True,
        "actions": ["enabled", "restarted"],
        "reason": "/etc/a is newer",
    }
    idle = {"name": "b.service", "changed": False, "actions": [], "reason": ""}
    assert told(result("units", items=[entry, idle])) == [
        ("redis", "unit", "a.service", "enabled", ""),
        ("redis", "unit", "a.service", "restarted", "/etc/a is newer"),
    ]


def test_certificates_belong_to_their_service() -> None:
    items = [
        {"service": "nginx", "changed": True, "reason": "there is none"},
        {"service": "app", "changed": True, "reason": "it expires in 3 days"},
        {"service": "redis", "changed": True, "reason": "key.pem: mode 0640"},
        {"service": "other", "changed": False, "reason": ""},
    ]
    assert [entry[:4] for entry in told(result("certificates", "tls", items=items, ca_changed=True))] == [
        ("nginx", "certificate", "nginx", "issued"),
        ("app", "certificate", "app", "renewed"),
        ("redis", "certificate", "redis", "repaired"),
        ("tls", "certificate", "authority", "changed"),
    ]


@pytest.mark.parametrize(
    ("reasons", "action"),
    [
        (["the container is missing"], "started"),
        (["Docker is not installed (role docker)"], "started"),
        (["it is exited"], "started"),
        (["the definition changed"], "recreated"),
        (["it is unhealthy"], "recreated"),
        (["it is exited", "its files differ"], "recreated"),
        (["the container is there"], "removed"),
    ],
)
def test_containers(reasons: list[str], action: str) -> None:
    assert [entry[1:4] for entry in told(result("container_service", name="llama", reasons=reasons))] == [
        ("container", "llama", action)
    ]


def test_databases_and_what_they_restart_for() -> None:
    found = result(
        "postgresql_objects",
        "postgresql",
        unit="postgresql@17-main.service",
        restarted_for=["max_connections"],
        items=[
            {"kind": "role", "name": "app", "actions": ["created"]},
            {"kind": "database", "name": "x", "actions": ["owner a -> b"]},
        ],
    )
    assert told(found) == [
        ("postgresql", "unit", "postgresql@17-main.service", "restarted", "for max_connections"),
        ("postgresql", "database", "role app", "created", ""),
        ("postgresql", "database", "database x", "changed", "owner a -> b"),
    ]


def test_what_is_unknown_is_still_told() -> None:
    assert told(result("ansible.builtin.lineinfile", "", msg="line added")) == [
        ("site", "task", "do ansible.builtin.lineinfile", "changed", "line added")
    ]
    assert told(result("ansible.builtin.reboot"))[0][1:4] == ("reboot", "host", "restarted")


def test_hosts_without_changes_are_there_and_the_controller_is_not() -> None:
    found = hosts_of([result("units", status="ok", host="ops1", items=[]), result("x", host="localhost")])
    assert [(host.name, host.items) for host in found] == [("ops1", ())]


def test_rules_are_read_as_flows() -> None:
    allowed, denied = changed_flows(BEFORE, AFTER)
    assert [str(flow) for flow in allowed] == [
        "management (22/tcp) from 10.9.0.0/24",
        "nginx: https (443/tcp) from any ipv4 address",
    ]
    assert denied == []
    assert changed_flows(AFTER, BEFORE) == ([], allowed)
    assert {str(flow) for flow in flows_of(BEFORE)} >= {
        "llama: api (8080/tcp) from 10.0.30.0/24",
        "time (123/udp) to 10.0.20.11",
    }
    assert not any("icmp" in str(flow) for flow in flows_of(BEFORE))


def test_firewall_items() -> None:
    found = result(
        "firewall", "firewall", reasons=["the rules have changed"], diff={"before": BEFORE, "after": AFTER}
    )
    assert [entry[1:4] for entry in told(found)] == [
        ("firewall", "management (22/tcp) from 10.9.0.0/24", "allowed"),
        ("firewall", "nginx: https (443/tcp) from any ipv4 address", "allowed"),
        ("firewall", "rules", "loaded"),
    ]


SERVICES = {
    "postgresql": Served("postgresql.service", "", ("app",)),
    "llama_cpp": Served("", "llama_cpp", ("app",)),
    "app": Served("rackwright-app.service", ""),
}


@pytest.mark.parametrize(
    ("unit", "role", "service"),
    [
        ("postgresql@17-main.service", "postgresql", "postgresql"),
        ("llama_cpp", "llama_cpp", "llama_cpp"),
        ("rackwright-app.service", "app", "app"),
        ("rackwright-app-migrate.service", "app", None),
        ("systemd-journald.service", "base", None),
    ],
)
def test_which_service_a_unit_is(unit: str, role: str, service: str | None) -> None:
    assert service_of(unit, role, SERVICES) == service


def host_with(*items: Item) -> HostPlan:
    return HostPlan("data1", (ServicePlan("postgresql", items),))


UNIT = "postgresql@17-main.service"


@pytest.mark.parametrize(
    ("known", "seconds", "basis"),
    [
        ([], 5.0, "rule of thumb"),
        ([Timed("other", "x", UNIT, 9.0)], 9.0, "of other sites"),
        ([Timed("other", "x", UNIT, 9.0), Timed("here", "x", UNIT, 7.0)], 7.0, "of this site"),
        (
            [Timed("here", "data1", UNIT, second) for second in (1.0, 2.0, 30.0)],
            2.0,
            "median of 3 restarts of this host",
        ),
        (
            [Timed("here", "data1", UNIT, 1.0)] * 5 + [Timed("here", "data1", UNIT, 99.0)] * 9,
            1.0,
            "median of 5",
        ),
        ([Timed("here", "data1", "other.service", 1.0)], 5.0, "rule of thumb"),
    ],
)
def test_estimates_are_measured_where_they_can_be(known: list[Timed], seconds: float, basis: str) -> None:
    (found,) = downtimes([host_with(Item("unit", UNIT, "restarted"))], SERVICES, known, "here")
    assert (found.service, found.seconds, found.affects) == ("postgresql", seconds, ("app",))
    assert basis in found.basis


def test_only_what_stops_keeps_users_waiting() -> None:
    items = (Item("unit", UNIT, "reloaded"), Item("unit", UNIT, "started"), Item("file", "/etc/x", "changed"))
    assert downtimes([host_with(*items)], SERVICES, [], "here") == ()


def test_two_restarts_of_one_service_add_up() -> None:
    restart = Item("unit", UNIT, "restarted")
    (found,) = downtimes([host_with(restart, restart)], SERVICES, [], "here")
    assert found.seconds == 10.0


def test_restarts_of_earlier_runs(tmp_path: Path) -> None:
    for stamp, seconds in (("1", 3.0), ("2", 4.0)):
        (tmp_path / f"{stamp}-site").mkdir()
        summary = {"site": "s", "restarts": [{"host": "h", "name": "u", "seconds": seconds}]}
        (tmp_path / f"{stamp}-site/summary.json").write_text(json.dumps(summary))
    (tmp_path / "3-site").mkdir()
    (tmp_path / "3-site/summary.json").write_text("{")
    assert [entry.seconds for entry in timed_restarts(tmp_path)] == [4.0, 3.0]


def test_a_run_tells_what_it_timed() -> None:
    entry = {"name": "a.service", "changed": True, "action": "restarted", "actions": ["restarted"]}
    started = {"name": "b.service", "changed": True, "action": "started", "actions": ["started"]}
    seconds = {"a.service": 1.5, "b.service": 2.0}
    assert result("units", items=[entry, started], seconds=seconds).timed_restarts == [("a.service", 1.5)]
    assert result("units", items=[entry], seconds={}).timed_restarts == []
    assert result(
        "container_service", name="c", reasons=["the definition changed"], seconds=9.0
    ).timed_restarts == [("c", 9.0)]
    assert result("postgresql_objects", unit="p", restart_seconds=3.0).timed_restarts == [("p", 3.0)]


def test_exit_codes(tmp_path: Path) -> None:
    nothing = plan_of([result("units", status="ok", items=[])], {}, tmp_path, "here")
    assert (nothing.exit_code, nothing.changes) == (0, 0)
    entry = {"name": "a.service", "changed": True, "actions": ["started"], "reason": ""}
    some = plan_of([result("units", items=[entry])], {}, tmp_path, "here")
    assert (some.exit_code, some.changes) == (2, 1)
    away = result("x", status="unreachable", host="ops1", msg="no route")
    failed = plan_of([result("units", items=[entry]), away], {}, tmp_path, "here")
    assert (failed.exit_code, failed.changes) == (1, 1)
    assert [(entry.host, entry.kind, entry.message) for entry in troubles_of([away])] == [
        ("ops1", "unreachable", "no route")
    ]


def test_no_secret_comes_through() -> None:
    diff = Difference("password=hunter2hunter2\n", "password=correct horse\n")
    item = Item("file", "/etc/a", "changed", "hunter2hunter2", diff)
    plan = without_secrets(Plan((host_with(item),)), frozenset({"hunter2hunter2", "correct horse"}))
    assert "hunter2" not in json.dumps(plan.as_dict())
    assert "correct horse" not in json.dumps(plan.as_dict())
    assert "(secret)" in json.dumps(plan.as_dict())
