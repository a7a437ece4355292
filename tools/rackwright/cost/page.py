"""The reckoning as a page of its own; no script, no font, no file from elsewhere."""

from __future__ import annotations

from decimal import Decimal
from html import escape

from rackwright.cost.chart import chart_svg
from rackwright.cost.model import MONTHS, Part, Reckoning
from rackwright.cost.report import CENT, money, sentences

_STYLE = """
:root{color-scheme:light dark;--bg:#fff;--ink:#1f2328;--dim:#59636e;--line:#d1d9e0}
@media (prefers-color-scheme:dark){:root{--bg:#0f1419;--ink:#e6edf3;--dim:#9aa4ae;--line:#3a4450}}
body{margin:0 auto;padding:24px 16px 48px;max-width:1040px;background:var(--bg);color:var(--ink);
font:14px/1.5 system-ui,"DejaVu Sans",sans-serif}
h1{font-size:22px;margin:0 0 8px} h2{font-size:17px;margin:28px 0 6px} .dim{color:var(--dim)}
.picture{overflow-x:auto;margin:16px 0} svg{min-width:820px;max-width:100%;height:auto;display:block}
table{border-collapse:collapse;min-width:60%} td,th{padding:4px 18px 4px 0;text-align:left;vertical-align:top;
border-bottom:1px solid var(--line)} .number{text-align:right;font-variant-numeric:tabular-nums}
.sum td{font-weight:600} .tables{overflow-x:auto}
"""


def cost_page(reckoning: Reckoning) -> str:
    """Return the page."""
    said = "".join(f"<li>{escape(text)}</li>" for text in sentences(reckoning))
    currency = escape(reckoning.inputs.currency)
    dialogues = f"{reckoning.inputs.dialogues_per_day:,}"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Cost: cloud and private</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>A cloud and a private platform at {dialogues} dialogues a day</h1>
<ul>{said}</ul>
<div class="picture">
{chart_svg(reckoning)}</div>
<div class="tables">
<h2>Cloud, {currency}</h2>
{_table(reckoning, reckoning.cloud, reckoning.cloud_monthly)}
<h2>Private, {currency}</h2>
{_table(reckoning, reckoning.private, reckoning.private_monthly)}
<h2>Reckoned with</h2>
{_inputs(reckoning)}
</div>
</body>
</html>
"""


def _table(reckoning: Reckoning, parts: tuple[Part, ...], monthly: Decimal) -> str:
    head = '<tr><th></th><th class="number">a month</th><th class="number">a year</th>'
    head += '<th class="number">1,000 dialogues</th><th>rule</th></tr>'
    rows = [_row(reckoning, part.name, part.monthly, part.rule) for part in parts if part.monthly]
    rows.append(_row(reckoning, "in all", monthly, "", "sum"))
    return f"<table>{head}{''.join(rows)}</table>"


def _row(reckoning: Reckoning, name: str, monthly: Decimal, rule: str, kind: str = "") -> str:
    numbers = (money(monthly), money(monthly * MONTHS), money(reckoning.per_thousand(monthly), CENT))
    cells = "".join(f'<td class="number">{number}</td>' for number in numbers)
    return f'<tr class="{kind}"><td>{escape(name)}</td>{cells}<td class="dim">{escape(rule)}</td></tr>'


def _inputs(reckoning: Reckoning) -> str:
    values = reckoning.inputs.model_dump(exclude={"sources"})
    rows = "".join(
        f'<tr><td>{name}</td><td class="number">{"-" if value is None else escape(str(value))}</td>'
        f'<td class="dim">{escape(reckoning.inputs.sources.get(name, ""))}</td></tr>'
        for name, value in values.items()
    )
    return f"<table>{rows}</table>"
