"""Asks all hosts of a site at once, and judges what they say."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rackwright.errors import RackwrightError
from rackwright.operations.runner import Run, run_playbook
from rackwright.preflight.finding import HostFinding
from rackwright.preflight.judge import judge, read_answer
from rackwright.preflight.observations import Answer
from rackwright.preflight.subjects import accepted, subjects_of
from rackwright.site.inventory import load_inventory

PLAYBOOK = "playbooks/preflight.yml"
ACTION = "host_preflight"
# Judged here: the input before, the hosts after.
SKIPPED_TAGS = "preflight_input,preflight_report"
# Hosts asked at the same time, for each core of the control node: opening connections takes time, and
# with more of them at once the last would run into the limit of ansible.cfg (`timeout`).
AT_ONCE_PER_CORE = 16


@dataclass(frozen=True)
class Report:
    """What preflight found.

    Attributes:
        site: Name of the site.
        findings: By host, worst first; `ok` ones too.
        hosts: How many hosts were asked.
        seconds: How long asking them took.
    """

    site: str
    findings: tuple[HostFinding, ...]
    hosts: int
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether nothing stops an apply."""
        return not any(finding.severity == "error" for finding in self.findings)


def look_at_hosts(sources: Sequence[Path], limit: str | None = None) -> Report:
    """Ask every host of a site, whose input is sound, in one parallel pass.

    Args:
        sources: Inventory sources.
        limit: Only these hosts or groups, as ansible-playbook takes it.

    Raises:
        RackwrightError: No host was asked.
    """
    inventory = load_inventory(sources)
    subjects = subjects_of(inventory)
    arguments = ["--forks", str(forks(len(subjects))), "--skip-tags", SKIPPED_TAGS]
    run = run_playbook(PLAYBOOK, sources, arguments=[*arguments, *(["--limit", limit] if limit else [])])
    answers = answers_of(run, tuple(subjects))
    if not answers:
        text = "; ".join(result.message for result in run.recap.failed)
        raise RackwrightError(
            f"no host was asked: {text or run.status}", hint=f"the run's output is in {run.log}"
        )
    findings = judge(subjects, answers, accepted(inventory))
    site = str(inventory.site_variables()["site_name"])
    return Report(site, tuple(findings), len(answers), run.seconds)


def forks(hosts: int) -> int:
    """Return how many hosts are asked at the same time."""
    return max(1, min(hosts, AT_ONCE_PER_CORE * (os.cpu_count() or 1)))


def answers_of(run: Run, hosts: Sequence[str]) -> list[Answer]:
    """Return what each host answered, in the order given; hosts that were not asked are left out."""
    said = {result.host: result for result in run.recap.results if result.action.endswith(ACTION)}
    return [read_answer(host, said[host].result) for host in hosts if host in said]
