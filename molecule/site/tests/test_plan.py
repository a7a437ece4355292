"""What `rackwright plan` foresees is what `apply` then does, and after it there is nothing to do."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from machines import PROJECT, SOURCES, Machines

from rackwright.operations.events import Recap
from rackwright.operations.runner import run_playbook
from rackwright.plan.collect import hosts_of
from rackwright.plan.make import make_plan
from rackwright.plan.model import HostPlan, Plan

Told = set[tuple[str, str, str, str, str]]


def told(hosts: tuple[HostPlan, ...]) -> Told:
    return {
        (host.name, part.service, item.kind, item.name, item.action)
        for host in hosts
        for part in host.services
        for item in part.items
    }


def apply(sources: list[Path]) -> Recap:
    run = run_playbook("site.yml", sources, arguments=["--skip-tags", "health"])
    assert run.successful, [(failed.host, failed.task, failed.message) for failed in run.recap.failed]
    return run.recap


@pytest.fixture(scope="module")
def turned(machines: Machines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Plan, Told]]:
    """A site with other wishes, and with what hands do to it; afterwards it is as it was."""
    overlay = tmp_path_factory.mktemp("wishes")
    (overlay / "group_vars/all").mkdir(parents=True)
    (overlay / "hosts.yml").write_text("---\nall: {}\n")
    sources_of_management = [f"{prefix}.1/32" for prefix in _zone_prefixes(machines)]
    wishes = {
        "postgresql_connections": 45,
        "client_networks": ["10.0.0.0/8", "172.16.0.0/12"],
        "management_sources": [*sources_of_management, "10.99.0.0/24"],
    }
    (overlay / "group_vars/all/wishes.yml").write_text(yaml.safe_dump(wishes))
    machines.inside("app1", "rm -f /etc/logrotate.d/rackwright-app")
    machines.inside("data1", "systemctl stop redis-server.service")
    plan, _ = make_plan([*SOURCES, overlay])
    assert [trouble.message for trouble in plan.troubles] == []
    done = told(hosts_of(apply([*SOURCES, overlay]).results))
    yield plan, done
    back, _ = make_plan(SOURCES)
    assert told(back.hosts) == told(hosts_of(apply(SOURCES).results))


def _zone_prefixes(machines: Machines) -> list[str]:
    return [host.address.rsplit(".", 1)[0] for host in machines.site.hosts.values()]


def test_after_apply_there_is_nothing_to_do(machines: Machines) -> None:
    """Asked as cron asks, on the site as it was converged."""
    sources = [part for source in SOURCES for part in ("-i", str(source))]
    command = [str(Path(sys.executable).with_name("rackwright")), "plan", *sources, "--json"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=300)
    answer = json.loads(done.stdout)
    names = sorted(machines.site.hosts)
    assert answer["hosts"] == [{"name": name, "changes": 0, "services": []} for name in names]
    assert (done.returncode, answer["schema"]["name"]) == (0, "rackwright.plan")


def test_what_is_foreseen_is_done(turned: tuple[Plan, Told]) -> None:
    plan, done = turned
    assert plan.exit_code == 2
    assert told(plan.hosts) == done


def test_each_cause_has_its_effect(turned: tuple[Plan, Told]) -> None:
    plan, _ = turned
    found = {(host, kind, name, action) for host, _, kind, name, action in told(plan.hosts)}
    assert ("data1", "unit", "postgresql@17-main.service", "restarted") in found
    assert ("data1", "unit", "redis-server.service", "started") in found
    assert ("edge1", "unit", "nginx.service", "reloaded") in found
    assert ("edge1", "unit", "nginx.service", "restarted") not in found
    assert ("app1", "file", "/etc/logrotate.d/rackwright-app", "created") in found
    assert ("ops1", "firewall", "management (22/tcp) from 10.99.0.0/24", "allowed") in found
    assert [(entry.host, entry.service, entry.affects) for entry in plan.downtimes] == [
        ("data1", "postgresql", ("app",))
    ]


def test_no_secret_is_in_a_plan(turned: tuple[Plan, Told]) -> None:
    from test_site import secrets  # noqa: PLC0415 - beside this file

    text = json.dumps(turned[0].as_dict())
    assert [name for name, value in secrets().items() if value in text] == []
