"""The findings for machines (JSON) and for a browser (one HTML file with everything in it)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from rackwright.catalogue.findings import Finding
from rackwright.preflight.checks import CHECKS
from rackwright.preflight.judge import count
from rackwright.preflight.run import Report
from rackwright.preflight.table import summary, word


def as_dict(wrong: Sequence[Finding], report: Report | None) -> dict[str, Any]:
    """Return everything for JSON.

    Args:
        wrong: Findings in the site's input; when there is an error among them, no host was asked.
        report: What was found on the hosts, or None.
    """
    return {
        "passed": report is not None and report.passed,
        "input": [finding.as_dict() for finding in wrong],
        "hosts": report.hosts if report else 0,
        "seconds": round(report.seconds, 2) if report else 0.0,
        "summary": count(report.findings) if report else {},
        "findings": [finding.as_dict() for finding in report.findings] if report else [],
    }


def as_html(wrong: Sequence[Finding], report: Report | None, now: datetime | None = None) -> str:
    """Return one page that needs nothing from anywhere; arguments as in `as_dict`, and the time it tells."""
    # A third of the command's start would go into it.
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        loader=PackageLoader("rackwright.preflight", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    findings = report.findings if report else ()
    hosts = [(host, list(group)) for host, group in groupby(findings, key=lambda finding: finding.host)]
    # The host that needs most attention first; among equals the inventory's order.
    hosts.sort(key=lambda pair: tuple(-number for number in list(count(pair[1]).values())[:2]))
    return environment.get_template("report.html.j2").render(
        site=report.site if report else "",
        wrong=wrong,
        hosts=[
            {
                "name": host,
                "findings": [finding for finding in group if finding.severity != "ok"],
                "passed": [finding for finding in group if finding.severity == "ok"],
                "counts": [
                    (severity, f"{number} {word(severity, number)}")
                    for severity, number in count(group).items()
                    if number
                ],
            }
            for host, group in hosts
        ],
        checks=CHECKS,
        summary=summary(findings, report.hosts) if report else "No host was asked: mend the input first.",
        passed=report is not None and report.passed,
        time=(now or datetime.now(tz=UTC)).strftime("%Y-%m-%d %H:%M UTC"),
        seconds=f"{report.seconds:.1f}" if report else "",
    )
