"""Where everything of a site's picture stands: zones as columns, hosts in them, one arrow per host pair.

Lengths are in pixels of the picture. Zones that only call and are called by no other (operations) and the
management stand in a row below. Every arrow runs in lanes between the columns and ends at a slot of its own
on the left side of the host that it reaches, with its label before it; so no arrow crosses a host.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rackwright.catalogue.flows import ANY, MANAGEMENT, flows
from rackwright.catalogue.site import Site

MARGIN = 24
TITLE_HEIGHT = 44
ZONE_PAD = 14
ZONE_HEAD = 34
NODE_GAP = 18
NODE_HEAD = 42
ROW_HEIGHT = 17
LANE = 12
LABEL_ROW = 13
SLOT_GAP = 13
CHARACTER = 6.4
LABEL_CHARACTERS = 30
OUTSIDE = "outside"

Gutter = tuple[str, str]
Point = tuple[float, float]


@dataclass
class Node:
    """A host, or `any`, or `management`; rows are its services with their ports."""

    name: str
    title: str
    subtitle: str
    zone: str
    rows: list[tuple[str, str]]
    below: bool
    slots: dict[str, tuple[list[str], float]] = field(default_factory=dict)
    x: float = 0
    y: float = 0
    width: float = 0
    height: float = 0


@dataclass(frozen=True)
class ZoneBox:
    """The frame of a zone."""

    zone: str
    title: str
    subtitle: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Arrow:
    """An allowed pair of hosts: the corners of its line, and the label before its end."""

    source: str
    dest: str
    zone: str
    points: list[Point]
    label: list[str]
    label_x: float
    label_y: float


@dataclass(frozen=True)
class Layout:
    """The whole picture."""

    title: str
    width: float
    height: float
    zones: list[ZoneBox]
    nodes: list[Node]
    arrows: list[Arrow]


def text_width(text: str) -> float:
    """Return about how wide a text of 11 px is."""
    return len(text) * CHARACTER


def lay_out(site: Site) -> Layout:
    """Place a site's zones, hosts and allowed flows.

    Raises:
        RackwrightError: A flow that the zones' policy forbids.
    """
    return _Placing(site).result()


def _wrap(words: Iterable[str]) -> list[str]:
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + 2 + len(word) <= LABEL_CHARACTERS:
            lines[-1] += f", {word}"
        else:
            lines.append(word)
    return lines


class _Placing:
    def __init__(self, site: Site) -> None:
        self.site = site
        policy = site.catalogue.zone_policy
        used = [zone for zone in policy if any(host.zone == zone for host in site.hosts.values())]
        self.below_zones = [
            zone
            for zone in used
            if not policy[zone].reached_from_outside and set(used) - {zone} <= set(policy[zone].may_call)
        ]
        self.columns = [OUTSIDE, *(zone for zone in used if zone not in self.below_zones)]
        self.nodes = self._nodes()
        self.pairs = self._pairs()
        self.lanes: dict[Gutter, list[str]] = defaultdict(list)
        self.transit: dict[str, list[str]] = {"top": [], "band": []}
        self.lane_start: dict[Gutter, float] = {}
        self.zones: list[ZoneBox] = []

    def result(self) -> Layout:
        for node in self.nodes.values():
            self._size(node)
        for source, dest in self.pairs:
            self._reserve(self.nodes[source], self.nodes[dest])
        top = MARGIN + TITLE_HEIGHT + (LANE * len(self.transit["top"]) + 10 if self.transit["top"] else 0)
        upper_width, upper_bottom = self._place_columns(top)
        self.band_start = upper_bottom + 16
        row_top = self.band_start + LANE * len(self.transit["band"]) + 12
        lower_width, lower_bottom = self._place_row(row_top)
        self.top_start = MARGIN + TITLE_HEIGHT
        arrows = [self._arrow(self.nodes[source], self.nodes[dest]) for source, dest in self.pairs]
        width = max(upper_width, lower_width) + MARGIN
        title = f"{self.site.name} ({self.site.domain})"
        return Layout(title, width, lower_bottom + MARGIN, self.zones, list(self.nodes.values()), arrows)

    def _nodes(self) -> dict[str, Node]:
        tests = [(host.name, host.address) for host in self.site.outside.values()]
        nodes = {
            ANY: Node(ANY, "Clients", "any address", OUTSIDE, tests, below=False),
            MANAGEMENT: Node(
                MANAGEMENT,
                "Management",
                "administrators' networks",
                MANAGEMENT,
                [(source, "") for source in self.site.management_sources],
                below=True,
            ),
        }
        for host in self.site.hosts.values():
            rows = [
                (service.title, " ".join(str(port.port) for port in service.ports.values()))
                for service in self.site.services_of(host.name).values()
            ]
            below = host.zone in self.below_zones
            nodes[host.name] = Node(host.name, host.name, host.address, host.zone, rows, below)
        return nodes

    def _pairs(self) -> Mapping[tuple[str, str], list[str]]:
        found: dict[tuple[str, str], list[str]] = defaultdict(list)
        for flow in flows(self.site):
            if flow.source != flow.dest:
                found[flow.source, flow.dest].append(f"{flow.service} {flow.port}")
        return found

    def _size(self, node: Node) -> None:
        """Give a node its arrival slots and its size."""
        at = 12.0
        for (source, dest), words in self.pairs.items():
            if dest == node.name:
                label = _wrap(words)
                at += LABEL_ROW * len(label)
                node.slots[source] = (label, at)
                at += SLOT_GAP
        texts = [f"{title}  {ports}" for title, ports in node.rows] + [node.title, node.subtitle]
        node.width = max(150, max(map(text_width, texts)) + 28)
        node.height = max(NODE_HEAD + ROW_HEIGHT * len(node.rows) + 8, at)

    def _gutter(self, node: Node) -> Gutter:
        return ("node", node.name) if node.below else ("column", str(self.columns.index(node.zone)))

    def _home(self, node: Node) -> Gutter:
        return ("column", str(self.columns.index(node.zone) + 1))

    def _reserve(self, source: Node, dest: Node) -> None:
        """Note which lanes an arrow needs."""
        gutters = [self._gutter(dest)]
        if source.below:
            way = "band"
        elif self._home(source) == gutters[0]:
            way = ""
        else:
            gutters.append(self._home(source))
            way = "band" if dest.below else "top"
        for gutter in gutters:
            if source.name not in self.lanes[gutter]:
                self.lanes[gutter].append(source.name)
        if way and source.name not in self.transit[way]:
            self.transit[way].append(source.name)

    def _gutter_width(self, gutter: Gutter, nodes: Iterable[Node]) -> float:
        labels = [text_width(line) for node in nodes for label, _ in node.slots.values() for line in label]
        return LANE * len(self.lanes[gutter]) + (max(labels) + 26 if labels else 16)

    def _place_columns(self, top: float) -> tuple[float, float]:
        x, bottom = float(MARGIN), top
        boxes: list[tuple[str, float, float]] = []
        for index, zone in enumerate(self.columns):
            gutter = ("column", str(index))
            nodes = [node for node in self.nodes.values() if node.zone == zone and not node.below]
            if index:
                self.lane_start[gutter] = x + LANE
                x += self._gutter_width(gutter, nodes)
            width = max(node.width for node in nodes)
            y = top + ZONE_HEAD + 8
            for node in nodes:
                node.x, node.y, node.width = x + ZONE_PAD, y, width
                y += node.height + NODE_GAP
            bottom = max(bottom, y - NODE_GAP + ZONE_PAD)
            boxes.append((zone, x, width + 2 * ZONE_PAD))
            x += width + 2 * ZONE_PAD
        last = ("column", str(len(self.columns)))
        self.lane_start[last] = x + LANE
        if self.lanes[last]:
            x += LANE * (len(self.lanes[last]) + 1)
        self.zones += [self._box(zone, left, top, width, bottom - top) for zone, left, width in boxes]
        return x, bottom

    def _place_row(self, top: float) -> tuple[float, float]:
        x = float(MARGIN)
        groups = [MANAGEMENT, *self.below_zones]
        height = max(node.height for node in self.nodes.values() if node.below)
        for zone in groups:
            left: float | None = None
            for node in (node for node in self.nodes.values() if node.zone == zone):
                gutter = ("node", node.name)
                self.lane_start[gutter] = x + LANE
                x += self._gutter_width(gutter, [node]) if node.slots else (NODE_GAP if left else 0)
                left = x if left is None else left
                node.x, node.y = x + ZONE_PAD, top + ZONE_HEAD + 8
                x += node.width + 2 * ZONE_PAD
            self.zones.append(
                self._box(zone, left or x, top, x - (left or x), height + ZONE_HEAD + 8 + ZONE_PAD)
            )
            x += NODE_GAP
        return x, top + height + ZONE_HEAD + 8 + ZONE_PAD

    def _box(self, zone: str, x: float, y: float, width: float, height: float) -> ZoneBox:
        titles = {OUTSIDE: "Outside", MANAGEMENT: "Control node"}
        policy = self.site.catalogue.zone_policy
        title = titles.get(zone) or policy[zone].title
        return ZoneBox(zone, title, self.site.zone_networks.get(zone, ""), x, y, width, height)

    def _lane(self, gutter: Gutter, source: str) -> float:
        return self.lane_start[gutter] + LANE * self.lanes[gutter].index(source)

    def _arrow(self, source: Node, dest: Node) -> Arrow:
        label, offset = dest.slots[source.name]
        end = dest.y + offset
        gutter = self._gutter(dest)
        lane = self._lane(gutter, source.name)
        points = [*self._departure(source, dest, lane), (lane, end), (dest.x - 1, end)]
        labels_at = self.lane_start[gutter] + LANE * len(self.lanes[gutter]) - 2
        return Arrow(source.name, dest.name, source.zone, points, label, labels_at, end - 5)

    def _departure(self, source: Node, dest: Node, lane: float) -> list[Point]:
        """Return the corners from the source to the top or foot of the lane that leads to the destination."""
        if source.below:
            # Near the right end: the zone's title stands at the left.
            start = source.x + source.width - 20
            level = self.band_start + LANE * self.transit["band"].index(source.name)
            return [(start, source.y), (start, level), (lane, level)]
        middle = source.y + source.height / 2
        right = source.x + source.width
        home = self._home(source)
        if home == self._gutter(dest):
            return [(right, middle), (lane, middle)]
        out = self._lane(home, source.name)
        way = "band" if dest.below else "top"
        start_level = self.band_start if dest.below else self.top_start
        level = start_level + LANE * self.transit[way].index(source.name)
        return [(right, middle), (out, middle), (out, level), (lane, level)]
