"""Runs an audit: asks the hosts, tries the zones, and has gixy read the proxy's configuration."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rackwright.audit.edge import judge_edge
from rackwright.audit.judge import judge_host, judge_tls
from rackwright.audit.model import Audit, Item, both, data
from rackwright.audit.services import judge_services
from rackwright.errors import RackwrightError
from rackwright.operations.health import health
from rackwright.operations.runner import run_playbook
from rackwright.site.inventory import Inventory, load_inventory
from rackwright.site.load import site_of
from rackwright.site.versions import version_findings
from rackwright.zones.run import try_zones

PLAYBOOK = "playbooks/audit.yml"
_LOOK = "Look"
_GIXY_SECONDS = 120


def audit(inventories: Sequence[Path], *, zones: bool = True) -> Audit:
    """Audit a site.

    Args:
        inventories: Inventory sources.
        zones: Whether every connection between hosts is tried; takes a minute on a large site.

    Raises:
        RackwrightError: No host could be asked.
    """
    inventory = load_inventory(inventories)
    run = run_playbook(PLAYBOOK, inventories)
    seen = {
        result.host: result.result
        for result in run.recap.results
        if result.task == _LOOK and "listening" in result.result
    }
    if not seen:
        raise RackwrightError("no host could be asked", hint=f"the run's output is in {run.log}")
    items = [*_items(inventory, seen)]
    failed = {result.host: result.message for result in run.recap.failed if result.host not in seen}
    items += [
        Item("lynis", host, "fail", both(f"not asked: {why}", f"无法询问：{why}"))
        for host, why in failed.items()
    ]
    site = site_of(inventory)
    answers, _ = health(inventories)
    placed = {host: site.services_of(host) for host in site.hosts}
    items += [*_versions(inventory), *judge_services(answers, placed), *_left_out()]
    if zones:
        items += [*_zones(inventories)]
    return Audit(site.name, tuple(site.hosts), tuple(items))


def _items(inventory: Inventory, seen: Mapping[str, Mapping[str, Any]]) -> Iterator[Item]:
    site = site_of(inventory)
    tls = inventory.site_variables().get("edge_tls") or {}
    for host, answer in seen.items():
        declared = {
            port.port for service in site.services_of(host).values() for port in service.ports.values()
        }
        variables = inventory.hosts[host].variables
        exceptions = [
            entry
            for name in ("hardening_exceptions", "hardening_apparmor_exceptions")
            for entry in variables.get(name) or []
        ]
        gone = set(site.catalogue.services) - set(site.services_of(host))
        yield from judge_host(host, answer, declared, exceptions, answer["apparmor"]["wanted"], gone)
        if host in site.groups.get("edge", ()):
            yield from judge_tls(host, answer, own_authority=tls.get("mode", "internal_ca") == "internal_ca")
            yield from judge_edge(host, site.choices["edge_engine"], answer["files"], gixy)


def gixy(configuration: str) -> list[dict[str, Any]] | None:
    """Return gixy's findings in a configuration of nginx; None when it could not read it."""
    if not configuration:
        return None
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "nginx.conf"
        path.write_text(configuration, encoding="utf-8")
        program = str(Path(sys.executable).with_name("gixy"))
        try:
            done = subprocess.run(
                [program, "-f", "json", str(path)],
                capture_output=True,
                text=True,
                check=False,
                timeout=_GIXY_SECONDS,
            )
            found: list[dict[str, Any]] = json.loads(done.stdout[done.stdout.index("[") :])
        except (OSError, ValueError, subprocess.TimeoutExpired):
            return None
    return found


def _versions(inventory: Inventory) -> Iterator[Item]:
    findings = [*version_findings(inventory.site_variables().get("versions"))]
    for finding in findings:
        text = f"{finding.variable} = {finding.value}: {finding.rule}"
        yield Item("versions", "", "fail", both(text, text))
    if not findings:
        yield Item("versions", "", "pass", both("versions.yml: all exact", "versions.yml：均为确切版本"))


def _left_out() -> Iterator[Item]:
    """Yield what Lynis is not asked anywhere, each with its reason."""
    for test, why in data()["lynis_skips"].items():
        yield Item("exceptions", "", "pass", both(f"Lynis {test}: {why['en']}", f"Lynis {test}：{why['zh']}"))


def _zones(inventories: Sequence[Path]) -> Iterator[Item]:
    from rackwright.zones.report import sentence, summary  # noqa: PLC0415 - loads tables

    matrix = try_zones(inventories)
    text = summary(matrix)
    tried, wrong = len(matrix.probes), len(matrix.wrong)
    chinese = f"{tried} 个连接中 {tried - wrong} 个与声明一致"
    yield Item("zones", "", "pass" if matrix.passed else "fail", both(text, chinese))
    for probe in matrix.wrong:
        yield Item("zones", probe.dest, "fail", both(sentence(probe), sentence(probe)))
