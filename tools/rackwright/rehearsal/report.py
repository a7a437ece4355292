"""The report of a rehearsal: JSON (signed with the key of the site's authority), Markdown and HTML."""

from __future__ import annotations

import base64
import html
import json
from pathlib import Path

from rackwright.pki.authority import Authority
from rackwright.rehearsal.model import Report

STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;
padding:0 1rem;color:#1a1f29}
h1{font-size:1.5rem;margin:0}.verdict{display:inline-block;padding:.2rem .8rem;border-radius:1rem;color:#fff}
.met{background:#1c7c4a}.missed{background:#b3261e}table{border-collapse:collapse;margin:1.2rem 0;width:100%}
th,td{text-align:left;padding:.35rem .8rem .35rem 0;border-bottom:1px solid #dfe3ea;
vertical-align:top}
.num{text-align:right;font-variant-numeric:tabular-nums}
svg{width:100%;height:auto;display:block;margin:1rem 0}
footer{color:#5b6472;font-size:.85rem}"""
BAR, GAP, LEFT, WIDTH = 26, 10, 190, 900


def write(report: Report, directory: Path, authority: Authority, passphrase: str) -> Path:
    """Write report.json, its signature, report.md and report.html; return the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report.as_dict(), indent=2, ensure_ascii=False).encode()
    (directory / "report.json").write_bytes(text)
    signature = base64.b64encode(authority.attest(text, passphrase)).decode()
    (directory / "report.json.sig").write_text(signature + "\n", encoding="utf-8")
    (directory / "report.md").write_text(markdown(report), encoding="utf-8")
    (directory / "report.html").write_text(page(report, signature), encoding="utf-8")
    return directory


def is_genuine(directory: Path, authority: Authority) -> bool:
    """Tell whether a report is as the site signed it."""
    signature = base64.b64decode((directory / "report.json.sig").read_text(encoding="utf-8"))
    return authority.attested((directory / "report.json").read_bytes(), signature)


def rows(report: Report) -> list[tuple[str, str, str, str]]:
    """Return the two measures: name, measured, target, verdict."""
    lost = "nothing was found" if report.rpo_seconds is None else span(report.rpo_seconds)
    kept = report.rpo_seconds is not None and 0 <= report.rpo_seconds <= report.target.rpo
    fast = not report.problem and report.rto_seconds <= report.target.rto
    return [
        ("recovery time", span(report.rto_seconds), span(report.target.rto), "met" if fast else "missed"),
        ("data lost", lost, span(report.target.rpo), "met" if kept else "missed"),
    ]


def span(seconds: float) -> str:
    """Return a span of time as people say it."""
    if seconds == 0:
        return "none"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    if seconds < 3600:  # noqa: PLR2004 - an hour
        return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"


def markdown(report: Report) -> str:
    """Return the report for people, as Markdown."""
    lines = [
        f"# Rehearsal: {report.target.what} ({report.site})",
        "",
        _told(report),
        "",
        "| measure | measured | target | |",
        "| --- | --- | --- | --- |",
        *(f"| {name} | {found} | {target} | {verdict} |" for name, found, target, verdict in rows(report)),
        "",
        "| phase | begins | takes |",
        "| --- | --- | --- |",
        *(
            f"| {phase.name}{'' if phase.counts else ' (does not count)'}"
            f" | {phase.start:+.1f} s | {phase.seconds:.1f} s |"
            for phase in report.phases
        ),
        "",
        f"Last write found: {report.last_write or 'none'}.",
        "",
        *(f"- {name}: {told}" for name, told in report.facts.items()),
    ]
    if report.problem:
        lines += ["", f"Problem: {report.problem}"]
    return "\n".join(lines) + "\n"


def _told(report: Report) -> str:
    verdict = "Both targets were met." if report.met else "A target was missed."
    place = f"{report.machine} took the place of {report.host}"
    return f"{verdict} {place}, which was taken for lost at {report.failed_at}."


def page(report: Report, signature: str) -> str:
    """Return the report as one HTML page without anything from elsewhere."""
    said = "both targets met" if report.met else "a target was missed"
    measures = "".join(
        f'<tr><td>{name}</td><td class="num">{found}</td><td class="num">{target}</td><td>{verdict}</td></tr>'
        for name, found, target, verdict in rows(report)
    )
    facts = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(told)}</td></tr>"
        for name, told in report.facts.items()
    )
    problem = f"<p><strong>{html.escape(report.problem)}</strong></p>" if report.problem else ""
    style = "met" if report.met else "missed"
    place = html.escape(_told(report))
    found = html.escape(report.last_write or "none")
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<title>Rehearsal {html.escape(report.scenario)}</title><style>{STYLE}</style></head><body>
<h1>Rehearsal: {html.escape(report.target.what)}</h1>
<p><span class="verdict {style}">{said}</span></p>
<p>Site {html.escape(report.site)}. {place} Last write found: {found}.</p>{problem}
<table><tr><th>measure</th><th class="num">measured</th><th class="num">target</th><th></th></tr>
{measures}</table>
{timeline(report)}
<table><tr><th>what came back</th><th></th></tr>{facts}</table>
<footer>Signed with the key of the site's authority (ECDSA with SHA-256, over report.json):
<code>{signature}</code></footer>
</body></html>
"""


def timeline(report: Report) -> str:
    """Return the phases as an SVG: time runs to the right, the failure is at the line."""
    if not report.phases:
        return ""
    first = min(phase.start for phase in report.phases)
    last = max(phase.start + phase.seconds for phase in report.phases)
    scale = (WIDTH - LEFT - 70) / max(last - first, 0.001)
    height = len(report.phases) * (BAR + GAP) + 34
    zero = LEFT + (0 - first) * scale
    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="Timeline" font-size="13">']
    for number, phase in enumerate(report.phases):
        y = number * (BAR + GAP)
        x, width = LEFT + (phase.start - first) * scale, max(phase.seconds * scale, 2)
        colour = "#2f6fb3" if phase.counts else "#b8c2d0"
        parts += [
            f'<text x="0" y="{y + 18}">{html.escape(phase.name)}</text>',
            f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}" rx="3" fill="{colour}"/>',
            f'<text x="{x + width + 6:.1f}" y="{y + 18}">{phase.seconds:.1f} s</text>',
        ]
    parts += [
        f'<line x1="{zero:.1f}" y1="0" x2="{zero:.1f}" y2="{height - 22}" stroke="#b3261e"/>',
        f'<text x="{zero:.1f}" y="{height - 6}" fill="#b3261e" text-anchor="middle">failure</text>',
        "</svg>",
    ]
    return "".join(parts)
