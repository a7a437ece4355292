"""Runs the probes on a site and sums them up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rackwright.errors import RackwrightError
from rackwright.operations.runner import run_playbook
from rackwright.site.load import load_site
from rackwright.zones.observe import Probe, global_addresses, probes

PLAYBOOK = "playbooks/zones.yml"


@dataclass(frozen=True)
class Matrix:
    """What came out.

    Attributes:
        site: The site's name.
        sources: Hosts that tried, in the inventory's order.
        dests: Hosts of the platform.
        zones: Host -> its zone; an empty text for a host outside.
        probes: Every connection.
        missing: Host -> why it could not try.
    """

    site: str
    sources: tuple[str, ...]
    dests: tuple[str, ...]
    zones: dict[str, str]
    probes: tuple[Probe, ...] = field(repr=False)
    missing: dict[str, str]

    def between(self, source: str, dest: str) -> list[Probe]:
        """Return the connections from one host to another."""
        return [probe for probe in self.probes if (probe.source, probe.dest) == (source, dest)]

    @property
    def wrong(self) -> list[Probe]:
        """Return what is not as the catalogue says."""
        return [probe for probe in self.probes if probe.verdict in {"open", "closed"}]

    @property
    def silent(self) -> list[Probe]:
        """Return ports that the firewall opens as it must, and that nothing listens on."""
        return [probe for probe in self.probes if probe.verdict == "silent"]

    @property
    def passed(self) -> bool:
        """Whether every host tried, and everything is as the catalogue says."""
        return not self.wrong and not self.missing


def try_zones(inventories: Sequence[Path], timeout: float = 2.0) -> Matrix:
    """Try every port of every host from every host.

    Args:
        inventories: Inventory sources.
        timeout: Seconds that a connection may take.

    Raises:
        RackwrightError: No host could be asked.
    """
    site = load_site(inventories)
    run = run_playbook(PLAYBOOK, inventories, arguments=["-e", f"zones_timeout={timeout}"])
    answers = {
        result.host: result.result["results"]
        for result in run.recap.results
        if result.task.startswith("Try every") and "results" in result.result
    }
    further = {
        result.host: global_addresses(result.result)
        for result in run.recap.results
        if result.task.startswith("Ask for all")
    }
    if not answers:
        raise RackwrightError("no host could be asked", hint=f"the run's output is in {run.log}")
    wanted = (*site.hosts, *site.outside)
    reasons = {result.host: result.message for result in run.recap.failed}
    return Matrix(
        site=site.name,
        sources=tuple(name for name in wanted if name in answers),
        dests=tuple(site.hosts),
        zones={host.name: host.zone for host in (*site.hosts.values(), *site.outside.values())},
        probes=tuple(probes(site, answers, further)),
        missing={name: reasons.get(name, "it did not answer") for name in wanted if name not in answers},
    )
