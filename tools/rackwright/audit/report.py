"""The audit as a page, as Markdown and as JSON, in English or Chinese."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rackwright.audit.model import Audit, Status, controls, data


def words_of(language: str) -> dict[str, str]:
    """Return the report's own words in a language."""
    found: dict[str, str] = data()["words"][language]
    return found


def summary(audit: Audit) -> dict[Status, int]:
    """Return how many checks have each result."""
    found: dict[Status, int] = {"pass": 0, "warn": 0, "fail": 0, "none": 0}
    for check in data()["checks"]:
        found[audit.status([check])] += 1
    return found


def as_dict(audit: Audit) -> dict[str, Any]:
    """Return everything for JSON, in both languages."""
    return {
        "site": audit.site,
        "passed": audit.passed,
        "hosts": list(audit.hosts),
        "checks": {
            name: {
                "title": title,
                "status": audit.status([name]),
                "items": [asdict(item) for item in audit.of(name)],
            }
            for name, title in data()["checks"].items()
        },
        "controls": [asdict(control) | {"status": audit.status(control.checks)} for control in controls()],
    }


def as_markdown(audit: Audit, language: str, now: datetime | None = None) -> str:
    """Return the report as Markdown."""
    words = words_of(language)
    lines = [
        f"# {words['title']} {audit.site}",
        "",
        _time(now),
        "",
        words["intro"],
        "",
        f"## {words['controls']}",
        "",
    ]
    head = [words[key] for key in ("clause2", "clause3", "plan", "control", "state", "basis")]
    lines += [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for control in controls():
        state = words[audit.status(control.checks)] if control.checks else words["manual"]
        row = [control.l2 or "-", control.l3, control.plan, control.title[language], state]
        lines.append(f"| {' | '.join([*row, ', '.join(control.checks) or '-'])} |")
    lines += ["", f"## {words['checks']}", ""]
    for name, title in data()["checks"].items():
        items = audit.of(name)
        lines += [f"### {title[language]}: {words[audit.status([name])]}", ""]
        lines += [
            f"- {words[item.status]}: {item.host or words['site']}: {item.detail[language]}" for item in items
        ] or [f"- {words['none']}"]
        lines.append("")
    return "\n".join(lines)


def as_html(audit: Audit, language: str, now: datetime | None = None) -> str:
    """Return one page that needs nothing from anywhere."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - a third of the start

    environment = Environment(
        loader=PackageLoader("rackwright.audit", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        audit=audit,
        words=words_of(language),
        language=language,
        counts=summary(audit),
        controls=controls(),
        checks=data()["checks"],
        time=_time(now),
    )


def _time(now: datetime | None) -> str:
    return (now or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M UTC")
