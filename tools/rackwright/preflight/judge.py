"""All checks of all hosts: from what was seen to what is to be done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from pydantic import TypeAdapter, ValidationError

from rackwright.errors import RackwrightError
from rackwright.preflight.finding import HostFinding, Severity
from rackwright.preflight.judge_access import access_finding
from rackwright.preflight.judge_capacity import (
    budget_findings,
    disk_findings,
    minimum_findings,
    plan_findings,
)
from rackwright.preflight.judge_gpu import gpu_findings
from rackwright.preflight.judge_network import (
    address_findings,
    dns_findings,
    proxy_findings,
    source_findings,
)
from rackwright.preflight.judge_ports import port_findings
from rackwright.preflight.judge_site import hostname_findings, machine_findings
from rackwright.preflight.judge_system import (
    base_findings,
    clock_finding,
    conflict_findings,
    filesystem_findings,
    system_findings,
)
from rackwright.preflight.observations import Answer, Observations
from rackwright.preflight.subject import Subject
from rackwright.site.plain import Value, plain

RANK: Mapping[Severity, int] = {"error": 0, "warning": 1, "info": 2, "ok": 3}
_OBSERVATIONS = TypeAdapter(Observations)
_JUDGES = (
    system_findings,
    base_findings,
    filesystem_findings,
    conflict_findings,
    port_findings,
    budget_findings,
    plan_findings,
    minimum_findings,
    disk_findings,
    gpu_findings,
    address_findings,
    dns_findings,
    source_findings,
    proxy_findings,
)


def read_answer(host: str, result: Value) -> Answer:
    """Return what the action `host_preflight`, or Ansible in its place, answered for a host.

    Raises:
        RackwrightError: The module and this program do not understand one another.
    """
    data = plain(result) or {}
    if "observations" not in data:
        problem = data.get("problem") or data.get("msg") or data.get("module_stderr") or ""
        said = [str(problem), str(data.get("module_stderr") or ""), str(data.get("module_stdout") or "")]
        return Answer(host, problem="\n".join(dict.fromkeys(part for part in said if part)))
    try:
        # Of JSON: a tuple is a list there, and 2 may stand for 2.0.
        seen = _OBSERVATIONS.validate_python(data["observations"])
        before, after = data["window"]
    except (ValidationError, KeyError, ValueError) as error:
        raise RackwrightError(
            f"module host_preflight said of {host} what is not understood here: {error}",
            hint="is another version of the project in use?",
        ) from error
    return Answer(host, seen, (float(before), float(after)))


def judge(
    subjects: Mapping[str, Subject], answers: Iterable[Answer], accept: Sequence[str] = ()
) -> list[HostFinding]:
    """Return every finding on every host, `ok` ones too: by host, worst first.

    Args:
        subjects: What the hosts are to be.
        answers: What came of asking them.
        accept: Findings to go on in spite of: `check`, or `host:check`; their errors become warnings.
    """
    asked = list(answers)
    findings: list[HostFinding] = []
    for answer in asked:
        findings += judge_host(subjects[answer.host], answer)
    seen = {answer.host: answer.observations for answer in asked if answer.observations is not None}
    together = [*machine_findings(seen), *hostname_findings(seen)]
    told = {finding.host for finding in together if finding.check == "machine"}
    findings += together
    findings += [
        subjects[host].ok("machine", "its own", "a machine of its own") for host in seen.keys() - told
    ]
    order = {answer.host: number for number, answer in enumerate(asked)}
    accepted = [accept_finding(finding, accept) for finding in findings]
    return sorted(accepted, key=lambda finding: (order[finding.host], RANK[finding.severity], finding.check))


def judge_host(subject: Subject, answer: Answer) -> Iterator[HostFinding]:
    """Yield what is found of one host by itself."""
    seen = answer.observations
    if seen is None:
        yield access_finding(answer.host, answer.problem)
        return
    yield subject.ok("reachable", "it answers", "an answer by SSH")
    yield subject.ok("sudo", "it works", "sudo without a password")
    yield clock_finding(subject, seen, answer.window)
    for findings in _JUDGES:
        yield from findings(subject, seen)


def accept_finding(finding: HostFinding, accept: Sequence[str]) -> HostFinding:
    """Return the finding; as a warning when it is an error that the site accepts."""
    named = finding.check in accept or f"{finding.host}:{finding.check}" in accept
    if finding.severity != "error" or not named:
        return finding
    return replace(finding, severity="warning", mend=f"accepted by preflight_accept. {finding.mend}")


def count(findings: Iterable[HostFinding]) -> dict[Severity, int]:
    """Return how many findings there are of each severity."""
    numbers: dict[Severity, int] = dict.fromkeys(RANK, 0)
    for finding in findings:
        numbers[finding.severity] += 1
    return numbers
