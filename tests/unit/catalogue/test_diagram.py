from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree as ET

from rackwright.catalogue.diagram_layout import Layout, lay_out
from rackwright.catalogue.diagram_svg import site_html, site_svg
from rackwright.catalogue.flows import flows
from rackwright.catalogue.site import Site

MakeSite = Callable[..., Site]
SVG = "{http://www.w3.org/2000/svg}"
MORE = {
    "platform": ["edge1", "app1", "app2", "data1", "ops1"],
    "zone_app": ["app1", "app2"],
    "app": ["app1", "app2"],
    "inference": ["app2"],
    "container_hosts": ["app2"],
}


def test_every_flow_has_an_arrow_with_its_label(site: Site) -> None:
    layout = lay_out(site)
    drawn = {(arrow.source, arrow.dest): " ".join(arrow.label) for arrow in layout.arrows}
    for flow in flows(site):
        if flow.source != flow.dest:
            assert f"{flow.service} {flow.port}" in drawn[flow.source, flow.dest]
    assert len(drawn) == len({(flow.source, flow.dest) for flow in flows(site) if flow.source != flow.dest})


def test_zones_stand_in_the_order_in_which_one_passes_them(site: Site) -> None:
    boxes = {box.zone: box for box in lay_out(site).zones}
    assert boxes["outside"].x < boxes["dmz"].x < boxes["app"].x < boxes["data"].x
    assert boxes["ops"].y > boxes["app"].y + boxes["app"].height


def crossed(layout: Layout) -> list[str]:
    """The nodes that an arrow runs through which neither begins nor ends there."""
    found = []
    for arrow in layout.arrows:
        for (x1, y1), (x2, y2) in pairwise(arrow.points):
            for node in layout.nodes:
                if node.name in {arrow.source, arrow.dest}:
                    continue
                apart = (
                    max(x1, x2) <= node.x
                    or min(x1, x2) >= node.x + node.width
                    or max(y1, y2) <= node.y
                    or min(y1, y2) >= node.y + node.height
                )
                if not apart:
                    found.append(f"{arrow.source}->{arrow.dest} through {node.name}")
    return found


def test_no_arrow_runs_through_a_host(make_site: MakeSite) -> None:
    assert crossed(lay_out(make_site())) == []
    assert crossed(lay_out(make_site(groups=MORE))) == []


def test_hosts_are_inside_their_zone_and_the_picture(make_site: MakeSite) -> None:
    layout = lay_out(make_site(groups=MORE))
    boxes = {box.zone: box for box in layout.zones}
    for node in layout.nodes:
        box = boxes[node.zone]
        assert box.x <= node.x
        assert node.x + node.width <= box.x + box.width <= layout.width
        assert box.y <= node.y
        assert node.y + node.height <= box.y + box.height <= layout.height


def test_svg_is_well_formed_and_self_contained(site: Site) -> None:
    text = site_svg(lay_out(site))
    root = ET.fromstring(text)  # noqa: S314 - our own output
    words = [element.text for element in root.iter(f"{SVG}text")]
    assert {"edge1", "app1", "data1", "ops1", "outside1", "PostgreSQL", "DMZ", "10.0.30.0/24"} <= set(words)
    assert "prefers-color-scheme:dark" in text
    assert text.count("http") == 1 + text.count("https "), "only the name space may look like an address"
    assert "<script" not in text


def test_html_has_the_picture_and_every_flow(site: Site) -> None:
    page = site_html(site, lay_out(site))
    rows: list[list[str]] = []

    class Table(HTMLParser):
        def handle_starttag(self, tag: str, _attributes: object) -> None:
            if tag == "tr":
                rows.append([])

        def handle_data(self, data: str) -> None:
            if rows and data.strip():
                rows[-1].append(data.strip())

    Table().feed(page[page.index("<tbody>") : page.index("</tbody>")])
    assert ["app1", "data1", "postgresql", "sql", "5432/tcp"] in rows
    assert len(rows) == len([flow for flow in flows(site) if flow.source != flow.dest])
    assert "<svg" in page
    assert "src=" not in page
    assert "href=" not in page


def test_names_are_escaped(make_site: MakeSite) -> None:
    assert "&lt;b&gt;" in site_svg(lay_out(make_site(name="<b>")))
