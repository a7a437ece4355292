"""The reckoning as a picture: what has been spent by when, and what a month costs at which load. Own SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from html import escape

from rackwright.cost.model import Reckoning
from rackwright.cost.report import money

WIDTH, HEIGHT = 1000, 430
_TOP, _BOTTOM, _LEFT, _PANEL, _GAP = 74, 64, 86, 385, 120
# Past this part of the width a note has no room on the right.
_LATE = Decimal("0.58")
# Up to here every half year has room on the axis.
_FEW_MONTHS = 48
_STYLE = """
.rc{--bg:#fff;--ink:#1f2328;--dim:#59636e;--line:#d8dee4;--cloud:#b45309;--own:#1d4ed8;--mark:#1a7f37}
@media (prefers-color-scheme:dark){.rc{--bg:#0f1419;--ink:#e6edf3;--dim:#9aa4ae;--line:#303943;
--cloud:#f0a44b;--own:#7aa5ff;--mark:#4ac26b}}
.rc{background:var(--bg);font:12px system-ui,"DejaVu Sans",sans-serif}
.rc text{fill:var(--ink);font-variant-numeric:tabular-nums} .rc .dim{fill:var(--dim)}
.rc .title{font-size:15px;font-weight:600} .rc .grid{stroke:var(--line)}
.rc .cloud{stroke:var(--cloud);fill:none;stroke-width:2.5}
.rc .own{stroke:var(--own);fill:none;stroke-width:2.5}
.rc text.cloud{fill:var(--cloud);stroke:none;font-weight:600}
.rc text.own{fill:var(--own);stroke:none;font-weight:600}
.rc .mark{stroke:var(--mark);fill:var(--bg);stroke-width:2.5}
.rc .drop{stroke:var(--mark);stroke-dasharray:4 4}
.rc text.note{fill:var(--mark);font-weight:600;paint-order:stroke;stroke:var(--bg);stroke-width:4px}
"""


@dataclass(frozen=True)
class Panel:
    """One diagram: two straight lines and where they meet.

    Attributes:
        title: above it.
        across: name of what runs to the right.
        most: where that ends.
        ticks: what is written below it.
        cloud: the cloud's amounts at its beginning and end.
        own: the private platform's.
        meet: where they meet, and what is written there; None when they do not within the panel.
    """

    title: str
    across: str
    most: Decimal
    ticks: Sequence[Decimal]
    cloud: tuple[Decimal, Decimal]
    own: tuple[Decimal, Decimal]
    meet: tuple[Decimal, str] | None

    def at(self, line: tuple[Decimal, Decimal], place: Decimal) -> Decimal:
        """The amount of a line at a place."""
        return line[0] + (line[1] - line[0]) * place / self.most


def panels(reckoning: Reckoning) -> tuple[Panel, Panel]:
    """Make both diagrams of a reckoning."""
    zero, life = Decimal(0), reckoning.life_months
    found = reckoning.break_even_months
    spent = Panel(
        f"Spent in all, {reckoning.inputs.currency}",
        "months",
        life,
        _half_years(life),
        (zero, reckoning.cloud_after(life)),
        (reckoning.private_after(zero), reckoning.private_after(life)),
        (found, f"paid after {found:.1f} months") if found is not None and 0 < found <= life else None,
    )
    even = reckoning.break_even_dialogues
    load = Decimal(max(reckoning.inputs.dialogues_per_day, 2 * (even or 0), 1))
    monthly = reckoning.private_monthly
    month = Panel(
        f"A month by load, {reckoning.inputs.currency}",
        "dialogues a day",
        load,
        scale(load),
        (reckoning.cloud_at(zero), reckoning.cloud_at(load)),
        (monthly, monthly),
        (Decimal(even), f"even at {even:,} a day") if even else None,
    )
    return spent, month


def chart_svg(reckoning: Reckoning) -> str:
    """Return the picture as one SVG document."""
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    words = "What a cloud and private cost: spent in all over the months, and a month by load"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="rc" role="img" {size}>',
        f"<title>{escape(words)}</title>",
        f"<style>{_STYLE}</style>",
        '<rect width="100%" height="100%" style="fill:var(--bg)"/>',
    ]
    for number, panel in enumerate(panels(reckoning)):
        parts += _panel(panel, _LEFT + number * (_PANEL + _GAP))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Panel, left: int) -> Iterator[str]:
    floor, height = HEIGHT - _BOTTOM, HEIGHT - _BOTTOM - _TOP
    ticks = scale(max(*panel.cloud, *panel.own))
    most = ticks[-1] or Decimal(1)

    def x(place: Decimal) -> str:
        return f"{left + float(place / panel.most) * _PANEL:.1f}"

    def y(amount: Decimal) -> str:
        return f"{floor - float(amount / most) * height:.1f}"

    yield _text("title", left, 34, panel.title)
    yield _text("cloud", left, 56, "cloud")
    yield _text("own", left + 52, 56, "private")
    for tick in ticks:
        yield f'<path class="grid" d="M{left} {y(tick)}H{left + _PANEL}"/>'
        yield _text("dim", left - 8, float(y(tick)) + 4, short(tick), "end")
    for tick in panel.ticks:
        if tick <= panel.most:
            yield _text("dim", float(x(tick)), floor + 20, short(tick), "middle")
    yield _text("dim", left + _PANEL / 2, floor + 42, panel.across, "middle")
    for name, line in (("cloud", panel.cloud), ("own", panel.own)):
        yield f'<path class="{name}" d="M{x(Decimal(0))} {y(line[0])}L{x(panel.most)} {y(line[1])}"/>'
    if panel.meet is not None:
        place, note = panel.meet
        amount = panel.at(panel.own, place)
        yield f'<path class="drop" d="M{x(place)} {y(amount)}V{floor}"/>'
        yield f'<circle class="mark" cx="{x(place)}" cy="{y(amount)}" r="5"/>'
        # At the foot, where the lines are far, on the side with more room.
        late = place > panel.most * _LATE
        beside, anchor = (float(x(place)) - 10, "end") if late else (float(x(place)) + 10, "start")
        yield _text("note", beside, floor - 28, note, anchor)
        yield _text("note", beside, floor - 11, money(amount), anchor)


def _text(kind: str, x: float, y: float, words: str, anchor: str = "start") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {place}>{escape(words)}</text>'


def _half_years(life: Decimal) -> Sequence[Decimal]:
    """Months at which a year, or half of a short life's years, is over."""
    step = 6 if life <= _FEW_MONTHS else 12
    return [Decimal(number) for number in range(0, int(life) + 1, step)]


def scale(most: Decimal) -> Sequence[Decimal]:
    """Return round numbers from 0 to at least `most`, four to eight of them."""
    if most <= 0:
        return [Decimal(0)]
    rough = most / 5
    power = Decimal(10) ** rough.adjusted()
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    count = int((most / step).to_integral_value(ROUND_CEILING))
    return [step * number for number in range(count + 1)]


def short(amount: Decimal) -> str:
    """Write a number on an axis: 1.5 M, 200 k, 40."""
    for size, unit in ((Decimal(10) ** 9, " G"), (Decimal(10) ** 6, " M"), (Decimal(10) ** 3, " k")):
        if amount >= size:
            return f"{(amount / size).normalize():f}{unit}"
    return f"{amount.normalize():f}"
