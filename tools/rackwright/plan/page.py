"""A plan as a page of its own; no script, no font, no file from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape

from rackwright.plan.model import INTERRUPTING, HostPlan, Item, Plan
from rackwright.plan.text import diff_lines

_STYLE = """
:root{color-scheme:light dark;--bg:#fff;--ink:#1f2328;--dim:#59636e;--line:#d1d9e0;--card:#f6f8fa;
--add:#1a7f37;--gone:#cf222e;--warn:#9a6700;--mark:#0969da}
@media (prefers-color-scheme:dark){:root{
--bg:#0f1419;--ink:#e6edf3;--dim:#9aa4ae;--line:#3a4450;--card:#161c23;
--add:#4ac26b;--gone:#ff7b72;--warn:#e3b341;--mark:#6cb6ff}}
body{margin:0 auto;padding:24px 16px 48px;max-width:1080px;background:var(--bg);color:var(--ink);
font:14px/1.5 system-ui,"DejaVu Sans",sans-serif}
h1{font-size:22px;margin:0 0 4px} h2{font-size:17px;margin:28px 0 4px} h3{font-size:14px;margin:12px 0 2px;
color:var(--mark)}
.dim{color:var(--dim)} .cards{display:flex;flex-wrap:wrap;gap:10px;margin:16px 0}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:8px 14px;min-width:96px}
.card b{display:block;font-size:20px;font-variant-numeric:tabular-nums}
table{border-collapse:collapse;width:100%} td,th{padding:3px 12px 3px 0;text-align:left;vertical-align:top;
border-bottom:1px solid var(--line);overflow-wrap:anywhere} td:first-child{white-space:nowrap;width:7em}
.add{color:var(--add)} .gone{color:var(--gone)} .warn{color:var(--warn)}
pre{margin:4px 0 8px;padding:8px;background:var(--card);border:1px solid var(--line);border-radius:6px;
overflow-x:auto;font:12px/1.4 ui-monospace,"DejaVu Sans Mono",monospace}
summary{cursor:pointer;color:var(--dim)} .trouble{border-left:4px solid var(--gone);padding:2px 0 2px 12px;
margin:10px 0;white-space:pre-wrap;overflow-wrap:anywhere}
"""
_CLASSES = {
    **dict.fromkeys(("created", "installed", "allowed", "issued", "started", "enabled"), "add"),
    **dict.fromkeys(("removed", "denied", "stopped", "disabled"), "gone"),
}


def plan_page(plan: Plan) -> str:
    """Return the page."""
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Plan</title>\n<style>{_STYLE}</style>\n</head>\n<body>",
        f"<h1>{_title(plan)}</h1>",
        f'<p class="dim">What <code>rackwright apply</code> would do; {_asked(plan)}</p>',
        f'<div class="cards">{"".join(_cards(plan))}</div>',
        *(
            f'<div class="trouble"><b>{escape(trouble.kind)} {escape(trouble.host)}</b> '
            f"{escape(trouble.task)}\n{escape(trouble.message)}</div>"
            for trouble in plan.troubles
        ),
        *(f'<p class="warn">{escape(note)}</p>' for note in plan.notes),
        *_downtimes(plan),
        *(_host(host) for host in plan.hosts if host.items),
        "</body>\n</html>\n",
    ]
    return "\n".join(parts)


def _asked(plan: Plan) -> str:
    return f"asked {datetime.now(tz=UTC):%Y-%m-%d %H:%M} UTC in {plan.seconds:.0f} s."


def _title(plan: Plan) -> str:
    if plan.troubles:
        return "Not everything could be asked"
    return "Changes to apply" if plan.changes else "Nothing to do"


def _cards(plan: Plan) -> Iterator[str]:
    longest = max((entry.seconds for entry in plan.downtimes), default=0.0)
    figures = (
        (len(plan.hosts), "hosts"),
        (plan.changes, "changes"),
        (plan.counted(*INTERRUPTING), "restarts"),
        (plan.counted("reloaded"), "reloads"),
        (f"{longest:.0f} s", "longest downtime"),
        (len(plan.reboots), "reboots"),
        (len(plan.troubles), "failed"),
    )
    for figure, name in figures:
        yield f'<div class="card"><b>{figure}</b>{name}</div>'


def _downtimes(plan: Plan) -> Iterator[str]:
    if not plan.downtimes:
        return
    yield "<h2>Services that would be away</h2>\n<table><tr><th>about</th><th>service</th><th>cause</th>"
    yield "<th>wait for it</th><th>estimate from</th></tr>"
    for entry in plan.downtimes:
        cells = (
            f"{entry.seconds:.1f} s",
            f"{entry.service} on {entry.host}",
            entry.cause,
            ", ".join(entry.affects) or "nobody",
            entry.basis,
        )
        yield f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
    yield "</table>"


def _host(host: HostPlan) -> str:
    parts = [f'<h2>{escape(host.name)} <span class="dim">{len(host.items)} changes</span></h2>']
    for part in host.services:
        parts.append(f"<h3>{escape(part.service)}</h3>\n<table>")
        parts += [_item(item) for item in part.items]
        parts.append("</table>")
    return "\n".join(parts)


def _item(item: Item) -> str:
    detail = f'<span class="dim">{escape(item.detail)}</span>' if item.detail else ""
    shown = ""
    if item.diff is not None:
        lines = "\n".join(_diff_line(str(line).strip("\n")[8:]) for line in diff_lines(item.diff))
        shown = f"<details><summary>difference</summary><pre>{lines}</pre></details>" if lines else ""
    kind = escape(item.kind.replace("_", " "))
    return (
        f'<tr><td class="{_CLASSES.get(item.action, "warn")}">{escape(item.action)}</td>'
        f"<td>{kind} {escape(item.name)} {detail}{shown}</td></tr>"
    )


def _diff_line(line: str) -> str:
    kind = {"+": "add", "-": "gone", "@": "dim"}.get(line[:1])
    return f'<span class="{kind}">{escape(line)}</span>' if kind else escape(line)
