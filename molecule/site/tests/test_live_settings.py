"""Every service, asked itself, runs with the numbers of the solver."""

import itertools
import json
import os
import re
from collections.abc import Mapping

import pytest
from machines import SOURCES, Machines

from rackwright.site.inventory import load_inventory
from rackwright.sizing.report import HostReport, size_site

MB = 1024**2


@pytest.fixture(scope="module")
def sizes(machines: Machines) -> dict[str, HostReport]:
    """What `rackwright size` says of every host of the scenario."""
    reports = size_site(load_inventory(SOURCES), machines.site)
    assert [report.name for report in reports if report.problem is not None] == []
    return {report.name: report for report in reports}


def told(sizes: Mapping[str, HostReport], machines: Machines, service: str) -> dict[str, dict[str, object]]:
    """Host -> the service's numbers, of every host that runs it; SETTINGS_HOSTS narrows them."""
    only = os.environ.get("SETTINGS_HOSTS", "").split(",")
    found = {}
    for host in machines.site.hosts_of(service):
        sizing = sizes[host.name].sizing
        assert sizing is not None
        if only == [""] or host.name in only:
            found[host.name] = dict(sizing.services[service].settings.values)
    assert found, f"no host runs {service}"
    return found


def test_postgresql_shows_them(machines: Machines, sizes: dict[str, HostReport]) -> None:
    query = "SELECT json_object_agg(name, current_setting(name)) FROM pg_settings"
    for host, wanted in told(sizes, machines, "postgresql").items():
        live = json.loads(machines.inside(host, f'runuser -u postgres -- psql -XAtqc "{query}"'))
        assert {name: live[name] for name in wanted} == wanted
        waiting = machines.inside(
            host, "runuser -u postgres -- psql -XAtqc 'SELECT name FROM pg_settings WHERE pending_restart'"
        )
        assert waiting == ""


def test_redis_has_them(machines: Machines, sizes: dict[str, HostReport]) -> None:
    for host, wanted in told(sizes, machines, "redis").items():
        for name, value in wanted.items():
            answer = machines.inside(host, f"/usr/local/lib/rackwright/redis-cli CONFIG GET {name}")
            live = answer.splitlines()[-1]
            expected = str(value)
            if expected.endswith("mb"):
                expected = str(int(expected.removesuffix("mb")) * MB)
            assert live == expected, name


def test_nginx_runs_so_many_workers_with_so_many_files(
    machines: Machines, sizes: dict[str, HostReport]
) -> None:
    for host, wanted in told(sizes, machines, "nginx").items():
        configuration = machines.inside(host, "nginx -T 2>/dev/null")
        assert re.search(
            rf"^\s*worker_connections {wanted['worker_connections']};", configuration, re.MULTILINE
        )
        master = machines.inside(host, "systemctl show -P MainPID nginx.service")
        # Workers of before a reload end when their streams do; they call themselves so.
        workers = machines.inside(
            host,
            f"for pid in $(cat /proc/{master}/task/*/children); do"
            " grep -q 'shutting down' /proc/$pid/cmdline || echo $pid; done",
        ).split()
        assert len(workers) == wanted["workers"]
        for pid in workers:
            limits = machines.inside(host, f"grep 'Max open files' /proc/{pid}/limits").split()
            assert limits[3:5] == [str(wanted["open_files"])] * 2


def test_the_app_runs_so_many_workers_with_so_many_connections(
    machines: Machines, sizes: dict[str, HostReport]
) -> None:
    for host, wanted in told(sizes, machines, "app").items():
        sizing = sizes[host].sizing
        assert sizing is not None
        limit = machines.inside(host, "systemctl show -P MemoryMax rackwright-app.service")
        assert int(limit) == int(sizing.services["app"].parts["memory_mb"].value) * MB
        master = machines.inside(host, "systemctl show -P MainPID rackwright-app.service")
        workers = machines.inside(
            host,
            f"for pid in $(cat /proc/{master}/task/*/children); do"
            " tr '\\0' ' ' </proc/$pid/cmdline | grep -q resource_tracker || echo $pid; done",
        ).split()
        assert len(workers) == wanted["workers"]
        # The program itself says how it reads its configuration.
        script = (
            "from rackwright_app.settings import load_settings; settings = load_settings();"
            " print(settings.workers, settings.database.pool_size, settings.engine.context_tokens)"
        )
        read = machines.inside(host, f"/opt/rackwright/app/current/bin/python -c '{script}'").split()
        assert read == [str(wanted[name]) for name in ("workers", "pool_size", "context_tokens")]


def test_dockers_limits_and_the_engines_arguments(machines: Machines, sizes: dict[str, HostReport]) -> None:
    for host, wanted in told(sizes, machines, "llama_cpp").items():
        (live,) = json.loads(machines.inside(host, "docker inspect llama_cpp"))
        limits = live["HostConfig"]
        memory = int(str(wanted["memory_mb"])) * MB
        assert (limits["Memory"], limits["MemorySwap"]) == (memory, memory)
        assert limits["NanoCpus"] == int(str(wanted["cpus"])) * 10**9
        arguments = machines.inside(
            host, "tr '\\0' ' ' </proc/$(docker inspect -f '{{.State.Pid}}' llama_cpp)/cmdline"
        ).split()
        given = dict(itertools.pairwise(arguments))
        context = int(str(wanted["context_tokens"])) * int(str(wanted["parallel"]))
        assert given["--threads"] == str(wanted["threads"])
        assert given["--parallel"] == str(wanted["parallel"])
        assert given["--ctx-size"] == str(context)


def test_the_kernel_has_them(machines: Machines, sizes: dict[str, HostReport]) -> None:
    """A container has only the network's settings; the machine's are the machine's."""
    only = os.environ.get("SETTINGS_HOSTS", "").split(",")
    asked = 0
    for host, report in sizes.items():
        if only != [""] and host not in only:
            continue
        assert report.sizing is not None
        for name, item in report.sizing.kernel.network.items():
            assert machines.inside(host, f"sysctl -n {name}") == str(item.value), (host, name)
            asked += 1
    assert asked
