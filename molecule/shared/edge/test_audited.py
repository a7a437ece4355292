"""The edge as an auditor sees it: its configuration and its units."""

from __future__ import annotations

import yaml
from machines import PROJECT
from testinfra.host import Host

from rackwright.audit.edge import judge_edge
from rackwright.audit.judge import LONGEST_EXPOSURE
from rackwright.audit.model import data
from rackwright.audit.run import gixy


def test_the_audit_reads_its_configuration_and_finds_no_weakness(edge: Host, engine: str) -> None:
    known = yaml.safe_load((PROJECT / "playbooks/vars/edge.yml").read_text())["edge_engines"]
    files = {path: edge.check_output(f"cat {path}") for path in known[engine]["audited"]}
    found = list(judge_edge("edge1", engine, files, gixy))
    assert {item.status for item in found} == {"pass"}, found


def test_its_units_are_confined(edge: Host, engine: str) -> None:
    listed = edge.check_output(
        f"systemctl list-units --plain --no-legend {engine}.service 'rackwright-*.service' | cut -d ' ' -f 1"
    ).split()
    assert f"{engine}.service" in listed
    exposed = {}
    for unit in set(listed) - set(data()["unit_reasons"]):
        told = edge.check_output(f"systemd-analyze security --no-pager {unit} | tail -n 1")
        exposed[unit] = float(told.split(":")[1].split()[0])
    assert max(exposed.values()) <= LONGEST_EXPOSURE, exposed
