from __future__ import annotations

from bench_sample import RUN, task

from rackwright.bench.work import Cluster, work_of


def test_everything_that_a_run_looked_after() -> None:
    work = work_of(RUN, "data1", changed_only=False)
    assert list(work.packages) == ["ca-certificates", "redis-server"]
    assert list(work.seeds) == ["/etc/apt/apt.conf.d/00proxy"]
    assert list(work.paths) == ["/etc/redis", "/etc/redis/redis.conf"]
    assert list(work.settings) == ["net.core.somaxconn"]
    assert list(work.units) == ["redis-server.service"]
    assert list(work.certificates) == ["redis"]
    assert work.firewall
    assert work.cluster == Cluster("17", "main", 5432, "/var/lib/postgresql/17/main", "C.UTF-8")
    assert work.cluster.unit == "postgresql@17-main.service"
    assert work.not_understood == []


def test_only_what_a_run_changed() -> None:
    work = work_of(RUN, "data1", changed_only=True)
    assert list(work.packages) == ["redis-server"]
    assert list(work.paths) == ["/etc/redis/redis.conf"]
    assert list(work.certificates) == []
    assert work.firewall


def test_other_hosts_and_skipped_tasks_do_not_count() -> None:
    results = [
        task("units", "changed", host="edge1", items=[{"name": "nginx.service", "changed": True}]),
        task("units", "skipped", items=[{"name": "chrony.service", "changed": False}]),
    ]
    assert list(work_of(results, "data1", changed_only=False).units) == []


def test_a_container_is_known_by_its_arguments() -> None:
    given = {"name": "llama_cpp", "directory": "/etc/rackwright/containers/llama_cpp"}
    work = work_of(
        [task("container_service", invocation={"module_args": given})], "data1", changed_only=False
    )
    assert work.containers == {"llama_cpp": "/etc/rackwright/containers/llama_cpp"}


def test_what_nothing_is_known_of_is_told() -> None:
    """A script that silently does less than the run would make the toolkit look slow."""
    results = [
        task("some_new_module", "changed"),
        task("ansible.builtin.command", "changed", rc=0),
        task("managed_files", "changed", items=[{"dest": "quota:alice", "changed": True}]),
        task("managed_files", items=[]),
    ]
    assert work_of(results, "data1", changed_only=True).not_understood == [
        "role : do some_new_module",
        "role : do ansible.builtin.command",
        "role : do managed_files (quota:alice)",
    ]


def test_accounts_and_the_app() -> None:
    results = [
        task("managed_files", items=[{"dest": "user:app", "changed": False}, {"dest": "group:www"}]),
        task("app_release", release="1", invocation={"module_args": {"root": "/opt/app"}}),
        task("wheelhouse", wheelhouse={}),
    ]
    work = work_of(results, "data1", changed_only=False)
    assert (list(work.users), list(work.groups)) == (["app"], ["www"])
    assert list(work.paths) == ["/opt/app/current", "/opt/app/release.json"]
    assert work.not_understood == []


def test_a_new_block_that_lists_paths_needs_no_change_here() -> None:
    work = work_of(
        [task("new_block", items=[{"dest": "/opt/app", "changed": False}])], "data1", changed_only=False
    )
    assert list(work.paths) == ["/opt/app"]
    assert work.not_understood == []
