"""A measured load as a picture, and as a page of its own; no script, no font, no file from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape

from rackwright.bench.inference import Percentiles, Result, Step
from rackwright.bench.inference_report import sentences
from rackwright.cost.chart import scale, short

WIDTH, HEIGHT = 1000, 400
_TOP, _BOTTOM, _LEFT, _PANEL, _GAP = 78, 60, 66, 390, 130
_LEGEND_STEP = 64
_STYLE = """
.rb{--bg:#fff;--ink:#1f2328;--dim:#59636e;--line:#d8dee4;--a:#1d4ed8;--b:#b45309;--c:#7c3aed;--mark:#1a7f37}
@media (prefers-color-scheme:dark){.rb{--bg:#0f1419;--ink:#e6edf3;--dim:#9aa4ae;--line:#303943;
--a:#7aa5ff;--b:#f0a44b;--c:#b794f6;--mark:#4ac26b}}
.rb{background:var(--bg);font:12px system-ui,"DejaVu Sans",sans-serif}
.rb text{fill:var(--ink);font-variant-numeric:tabular-nums} .rb .dim{fill:var(--dim)}
.rb .title{font-size:15px;font-weight:600} .rb .grid{stroke:var(--line)}
.rb polyline{fill:none;stroke-width:2.5} .rb .promise{stroke:var(--mark);stroke-width:2;stroke-dasharray:6 4}
.rb text.promise{fill:var(--mark);stroke:none;font-weight:600}
.rb .a{stroke:var(--a)} .rb .b{stroke:var(--b)} .rb .c{stroke:var(--c)}
.rb polyline.c{stroke-dasharray:2 4}
.rb circle{fill:var(--bg);stroke-width:2.5}
.rb text.a{fill:var(--a)} .rb text.b{fill:var(--b)} .rb text.c{fill:var(--c)}
.rb text.a,.rb text.b,.rb text.c{stroke:none;font-weight:600}
"""
_PAGE_STYLE = """
:root{color-scheme:light dark;--bg:#fff;--ink:#1f2328;--dim:#59636e;--line:#d1d9e0}
@media (prefers-color-scheme:dark){:root{--bg:#0f1419;--ink:#e6edf3;--dim:#9aa4ae;--line:#3a4450}}
body{margin:0 auto;padding:24px 16px 48px;max-width:1040px;background:var(--bg);color:var(--ink);
font:14px/1.5 system-ui,"DejaVu Sans",sans-serif}
h1{font-size:22px;margin:0 0 8px} .dim{color:var(--dim)}
.wide{overflow-x:auto;margin:16px 0} svg{min-width:820px;max-width:100%;height:auto;display:block}
table{border-collapse:collapse;min-width:100%} td,th{padding:4px 14px 4px 0;text-align:right;
border-bottom:1px solid var(--line);font-variant-numeric:tabular-nums;white-space:nowrap}
td:last-child,th:last-child{text-align:left}
"""

Lines = Sequence[tuple[str, Sequence[float | None]]]


@dataclass(frozen=True)
class Panel:
    """One diagram: lines over the numbers of users, and the promise where there is one."""

    title: str
    lines: Lines
    promise: float
    promised: str


def panels(result: Result) -> tuple[Panel, Panel]:
    """Make both diagrams of a measurement."""
    steps, promise = result.steps, result.promise
    return (
        Panel(
            "Seconds to the first token",
            _percentiles([step.first_token for step in steps]),
            promise.first_token_seconds,
            "promised (P95)",
        ),
        Panel(
            "Tokens a second of an answer",
            _percentiles([step.speed for step in steps]),
            promise.tokens_per_second,
            "promised (P50)",
        ),
    )


def _percentiles(found: Sequence[Percentiles | None]) -> Lines:
    return (
        ("P50", [entry.p50 if entry else None for entry in found]),
        ("P95", [entry.p95 if entry else None for entry in found]),
        ("P99", [entry.p99 if entry else None for entry in found]),
    )


def chart_svg(result: Result) -> str:
    """Return the picture as one SVG document."""
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="rb" role="img" {size}>',
        "<title>Time to the first token and speed of answers, by users at a time</title>",
        f"<style>{_STYLE}</style>",
        '<rect width="100%" height="100%" style="fill:var(--bg)"/>',
    ]
    for number, panel in enumerate(panels(result)):
        parts += _panel(panel, [step.users for step in result.steps], _LEFT + number * (_PANEL + _GAP))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Panel, users: Sequence[int], left: int) -> Iterator[str]:
    floor, height = HEIGHT - _BOTTOM, HEIGHT - _BOTTOM - _TOP
    figures = [value for _, line in panel.lines for value in line if value is not None]
    ticks = scale(Decimal(str(round(max([*figures, panel.promise]), 6))))
    most = float(ticks[-1])

    def x(place: int) -> float:
        # Steps double, so each has the same width; a single one stands in the middle.
        return left + (_PANEL * place / (len(users) - 1) if len(users) > 1 else _PANEL / 2)

    def y(value: float) -> float:
        return floor - value / most * height

    yield _text("title", left, 34, panel.title)
    for number, (kind, (name, _)) in enumerate(zip("abc", panel.lines, strict=True)):
        yield _text(kind, left + number * _LEGEND_STEP, 56, name)
    for tick in ticks:
        yield f'<path class="grid" d="M{left} {y(float(tick)):.1f}H{left + _PANEL}"/>'
        yield _text("dim", left - 8, y(float(tick)) + 4, short(tick), "end")
    for place, number in enumerate(users):
        yield _text("dim", x(place), floor + 20, str(number), "middle")
    yield _text("dim", left + _PANEL / 2, floor + 42, "users at a time", "middle")
    line = y(panel.promise)
    yield f'<path class="promise" d="M{left} {line:.1f}H{left + _PANEL}"/>'
    words = f"{panel.promised}: {panel.promise:g}"
    yield _text("promise", left + _PANEL, 56, words, "end")
    # The worst first: where figures are equal, the usual one is seen.
    for kind, (_, values) in reversed(list(zip("abc", panel.lines, strict=True))):
        points = [(x(place), y(value)) for place, value in enumerate(values) if value is not None]
        yield f'<polyline class="{kind}" points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in points)}"/>'
        for a, b in points:
            yield f'<circle class="{kind}" cx="{a:.1f}" cy="{b:.1f}" r="3.5"/>'


def _text(kind: str, x: float, y: float, words: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def page(result: Result) -> str:
    """Return the page."""
    said = "".join(f"<li>{escape(text)}</li>" for text in sentences(result))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Load on {escape(result.model)}</title>
<style>{_PAGE_STYLE}</style>
</head>
<body>
<h1>{escape(result.model)} with up to {result.steps[-1].users} users at a time</h1>
<p class="dim">{escape(result.asked_from)} asked {escape(result.url)}; answers of up to
{result.tokens} tokens; no pause between a user's questions.</p>
<ul>{said}</ul>
<div class="wide">
{chart_svg(result)}</div>
<div class="wide"><table>
<tr><th>users</th><th>requests</th><th>first token P50</th><th>P95</th><th>P99</th>
<th>answer P50</th><th>P95</th><th>P99</th>
<th>tokens/s P50</th><th>P95</th><th>P99</th><th>all</th><th>errors</th></tr>
{"".join(_row(step) for step in result.steps)}</table></div>
</body>
</html>
"""


def _row(step: Step) -> str:
    cells = [str(step.users), str(step.requests)]
    for found, digits in ((step.first_token, 2), (step.answer, 2), (step.speed, 1)):
        values = (found.p50, found.p95, found.p99) if found else ()
        cells += [f"{value:.{digits}f}" for value in values] or ["-"] * 3
    cells.append(f"{step.throughput:.1f}")
    cells.append(", ".join(f"{count} {kind}" for kind, count in step.errors.items()) or "none")
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>\n"
