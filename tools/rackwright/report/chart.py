"""A trend as a picture: curves over days, its bound, and what each curve came to. Own SVG, no script."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from itertools import pairwise

from rackwright.report.model import Point, Series, Trend
from rackwright.report.values import shown

WIDTH, HEIGHT = 520, 190
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 10, 24
# As many colours as can be told apart; further curves are counted, not drawn.
MOST_CURVES = 8
_DAY = 86400
_LABELS = 7
_GAP = 2.5
_MINUTE = 60


def drawn(trend: Trend) -> tuple[Series, ...]:
    """Return the curves that are drawn: those that go highest, by name."""
    if not isinstance(trend.series, tuple):
        return ()
    highest = sorted(trend.series, key=lambda series: -max(value for _, value in series.points))
    return tuple(sorted(highest[:MOST_CURVES], key=lambda series: series.name))


def chart(trend: Trend, title: str, days: int) -> str:
    """Return the picture of a trend that has curves."""
    curves = drawn(trend)
    last = max(at for series in curves for at, _ in series.points)
    first = last - days * _DAY
    ticks = _ticks(trend, curves)
    top = ticks[-1]

    def x(at: float) -> float:
        return LEFT + (at - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" viewBox="0 0 {WIDTH} {HEIGHT}">',
        f"<title>{escape(title)}</title>",
    ]
    for tick in ticks:
        parts.append(f'<path class="grid" d="M{LEFT} {y(tick):.1f}H{WIDTH - RIGHT}"/>')
        words = escape(shown(tick, trend.unit))
        parts.append(f'<text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{words}</text>')
    for at in _midnights(first, last, days):
        day = datetime.fromtimestamp(at, UTC).strftime("%m-%d")
        parts.append(f'<path class="tick" d="M{x(at):.1f} {HEIGHT - BOTTOM}v4"/>')
        parts.append(f'<text x="{x(at):.1f}" y="{HEIGHT - 6}" text-anchor="middle">{day}</text>')
    if trend.bound is not None:
        parts.append(f'<path class="bound" d="M{LEFT} {y(trend.bound):.1f}H{WIDTH - RIGHT}"/>')
    for number, series in enumerate(curves):
        for piece in _pieces(series.points):
            path = "L".join(f"{x(at):.1f} {y(value):.1f}" for at, value in piece)
            # A single point is a line of no length, which a round end makes visible.
            path += "h0" if len(piece) == 1 else ""
            parts.append(f'<path class="curve c{number}" d="M{path}"/>')
    return "".join([*parts, "</svg>"])


def _ticks(trend: Trend, curves: Sequence[Series]) -> list[float]:
    """Return round values from 0 to at least the highest point and the bound."""
    highest = max(value for series in curves for _, value in series.points)
    most = trend.most or max(highest, trend.bound or 0)
    if most <= 0:
        return [0.0, 1.0]
    rough = most / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    count = math.ceil(most / step - 0.001)
    return [step * number for number in range(count + 1)]


def _midnights(first: float, last: float, days: int) -> Iterator[float]:
    """Yield the beginnings of days (UTC), not more than there is room for."""
    every = max(1, math.ceil(days / _LABELS))
    at = (math.floor(first / _DAY) + 1) * _DAY
    while at <= last:
        yield float(at)
        at += every * _DAY


def _pieces(points: Sequence[Point]) -> Iterator[list[Point]]:
    """Yield the parts of a curve between which nothing was measured: there is no line through them."""
    if not points:
        return
    steps = [after[0] - before[0] for before, after in pairwise(points)]
    usual = min(steps, default=_MINUTE)
    piece = [points[0]]
    for step, point in zip(steps, points[1:], strict=True):
        if step > usual * _GAP:
            yield piece
            piece = []
        piece.append(point)
    yield piece
