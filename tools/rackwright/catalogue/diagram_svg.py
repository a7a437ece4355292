"""A site's picture as SVG and as a page of its own; no script, no font, no file from elsewhere."""

from __future__ import annotations

from html import escape

from rackwright.catalogue.diagram_layout import MARGIN, Arrow, Layout, Node, Point, ZoneBox
from rackwright.catalogue.flows import flows
from rackwright.catalogue.site import Site

RADIUS = 6
# Light and dark shade per zone, in the order in which zones appear; picked to keep apart for most eyes.
_SHADES = (
    ("#57606a", "#9aa4ae"),
    ("#b45309", "#f0a44b"),
    ("#1d4ed8", "#7aa5ff"),
    ("#047857", "#4cc79a"),
    ("#6d28d9", "#b794f6"),
    ("#9d174d", "#f08bb7"),
    ("#0e7490", "#5cc9de"),
)
NOTE = "Arrows: the allowed connections, in the colour of the zone that opens them. All else is denied."
_STYLE = """
.rw{--bg:#ffffff;--ink:#1f2328;--dim:#59636e;--node:#ffffff;--line:#c8d0d8;--zone:#f4f6f8;%(light)s}
@media (prefers-color-scheme:dark){.rw{--bg:#0f1419;--ink:#e6edf3;--dim:#9aa4ae;--node:#1a212a;--line:#3a4450;
--zone:#141a21;%(dark)s}}
.rw{background:var(--bg);font-family:system-ui,"DejaVu Sans",sans-serif;font-size:11px}
.rw text{fill:var(--ink)} .rw .dim{fill:var(--dim)} .rw .title{font-size:17px;font-weight:600}
.rw .zone{fill:var(--zone);stroke-width:1.5} .rw .zone-title{font-size:13px;font-weight:600}
.rw .node{fill:var(--node);stroke:var(--line)} .rw .host{font-size:13px;font-weight:600}
.rw .flow{fill:none;stroke-width:1.5}
.rw .port{font-variant-numeric:tabular-nums}
"""


def site_svg(layout: Layout, note: str = NOTE) -> str:
    """Return the picture as one SVG document, with a note below it."""
    names = list(dict.fromkeys(box.zone for box in layout.zones))
    light = "".join(f"--z{index}:{_SHADES[index % len(_SHADES)][0]};" for index in range(len(names)))
    dark = "".join(f"--z{index}:{_SHADES[index % len(_SHADES)][1]};" for index in range(len(names)))
    color = {zone: f"var(--z{index})" for index, zone in enumerate(names)}
    style = _STYLE % {"light": light, "dark": dark}
    width, height = f"{layout.width:.0f}", f"{layout.height + 24:.0f}"
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="rw" role="img" {size}>',
        f"<title>Zones, hosts and allowed flows of {escape(layout.title)}</title>",
        f"<style>{style}</style>",
        "<defs>",
        *(
            f'<marker id="end{index}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            f'orient="auto"><path d="M0 0L8 4L0 8z" style="fill:var(--z{index})"/></marker>'
            for index in range(len(names))
        ),
        "</defs>",
        '<rect width="100%" height="100%" style="fill:var(--bg)"/>',
        f'<text class="title" x="{MARGIN}" y="{MARGIN + 16}">{escape(layout.title)}</text>',
        *(_zone(box, color[box.zone]) for box in layout.zones),
        *(_flow(arrow, color[arrow.zone], names.index(arrow.zone)) for arrow in layout.arrows),
        *(_node(node) for node in layout.nodes),
        *(_label(arrow) for arrow in layout.arrows),
        f'<text class="dim" x="{MARGIN}" y="{layout.height + 6:.0f}">{escape(note)}</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def site_html(site: Site, layout: Layout) -> str:
    """Return a page with the picture and the table of all flows."""
    rows = "\n".join(
        f"<tr><td>{escape(flow.source)}</td><td>{escape(flow.dest)}</td><td>{escape(flow.service)}</td>"
        f"<td>{escape(flow.port_name)}</td><td>{flow.port}/{flow.protocol}</td></tr>"
        for flow in flows(site)
        if flow.source != flow.dest
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Topology of {escape(layout.title)}</title>
<style>
body{{margin:0;padding:16px;background:#fff;color:#1f2328;font:14px/1.45 system-ui,"DejaVu Sans",sans-serif}}
@media (prefers-color-scheme:dark){{body{{background:#0f1419;color:#e6edf3}}}}
.picture{{overflow-x:auto}} svg{{min-width:1000px;max-width:100%;height:auto;display:block}}
table{{border-collapse:collapse;margin-top:16px}}
th,td{{text-align:left;padding:4px 14px 4px 0;border-bottom:1px solid #8884}}
td:last-child{{font-variant-numeric:tabular-nums}}
</style>
</head>
<body>
<div class="picture">
{site_svg(layout)}</div>
<h2>Allowed flows</h2>
<table>
<thead><tr><th>From</th><th>To</th><th>Service</th><th>Port</th><th>Number</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""


def _zone(box: ZoneBox, color: str) -> str:
    return (
        f'<rect class="zone" rx="10" style="stroke:{color}" x="{box.x:.1f}" y="{box.y:.1f}" '
        f'width="{box.width:.1f}" height="{box.height:.1f}"/>'
        f'<text class="zone-title" x="{box.x + 14:.1f}" y="{box.y + 18:.1f}" style="fill:{color}">'
        f"{escape(box.title)}</text>"
        f'<text class="dim" x="{box.x + 14:.1f}" y="{box.y + 32:.1f}">{escape(box.subtitle)}</text>'
    )


def _node(node: Node) -> str:
    size = f'width="{node.width:.1f}" height="{node.height:.1f}"'
    parts = [
        f'<rect class="node" rx="6" x="{node.x:.1f}" y="{node.y:.1f}" {size}/>',
        f'<text class="host" x="{node.x + 12:.1f}" y="{node.y + 18:.1f}">{escape(node.title)}</text>',
        f'<text class="dim" x="{node.x + 12:.1f}" y="{node.y + 32:.1f}">{escape(node.subtitle)}</text>',
    ]
    for number, (title, ports) in enumerate(node.rows):
        y = node.y + 42 + 12 + 17 * number
        parts.append(
            f'<text x="{node.x + 12:.1f}" y="{y:.1f}">{escape(title)}</text>'
            f'<text class="dim port" x="{node.x + node.width - 12:.1f}" y="{y:.1f}" text-anchor="end">'
            f"{escape(ports)}</text>"
        )
    return "".join(parts)


def _flow(arrow: Arrow, color: str, marker: int) -> str:
    words = f"{arrow.source} to {arrow.dest}: {', '.join(arrow.label)}"
    return (
        f'<path class="flow" d="{_rounded(arrow.points)}" style="stroke:{color}" '
        f'marker-end="url(#end{marker})"><title>{escape(words)}</title></path>'
    )


def _label(arrow: Arrow) -> str:
    first = arrow.label_y - 13 * (len(arrow.label) - 1)
    return "".join(
        f'<text class="label" x="{arrow.label_x:.1f}" y="{first + 13 * number:.1f}">{escape(line)}</text>'
        for number, line in enumerate(arrow.label)
    )


def _rounded(points: list[Point]) -> str:
    """Return a path through the points, its corners rounded where there is room."""
    steps = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        start, end = _towards(corner, before), _towards(corner, after)
        steps.append(
            f"L{start[0]:.1f} {start[1]:.1f}Q{corner[0]:.1f} {corner[1]:.1f} {end[0]:.1f} {end[1]:.1f}"
        )
    steps.append(f"L{points[-1][0]:.1f} {points[-1][1]:.1f}")
    return "".join(steps)


def _towards(corner: Point, other: Point) -> Point:
    length = abs(other[0] - corner[0]) + abs(other[1] - corner[1])
    part = min(RADIUS, length / 2) / length if length else 0
    return corner[0] + (other[0] - corner[0]) * part, corner[1] + (other[1] - corner[1]) * part
