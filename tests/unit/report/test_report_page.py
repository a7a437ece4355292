"""The page: every part, what is absent with its reason, both languages, nothing from elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from report_sample import MADE_AT, NOW, curve, sample

from rackwright.report.chart import chart, drawn
from rackwright.report.model import Absent, Backup, Backups, Series, Trend
from rackwright.report.page import LANGUAGES, as_html, tiles, words_of
from rackwright.report.questions import TRENDS
from rackwright.report.values import seconds, shown, size

NONE = Absent("no_monitoring")
EMPTY = sample(
    health=Absent("no_answer", "the <hosts> are away"),
    alerts=NONE,
    capacity=NONE,
    trends=(Trend("cpu", "percent", NONE), Trend("memory", "percent", NONE)),
    backups=Absent("no_backup_host"),
    rehearsal=Absent("no_rehearsal"),
    audit=Absent("no_audit"),
)


class Structure(HTMLParser):
    """Follows which elements are open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, _: object) -> None:
        if tag not in {"meta", "br", "path"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "path":
            assert self.open.pop() == tag


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("report", [sample(), EMPTY], ids=["whole", "empty"])
def test_the_page_is_whole_and_needs_nothing_from_elsewhere(report: object, language: str) -> None:
    page = as_html(report, language)  # type: ignore[arg-type]
    structure = Structure()
    structure.feed(page)
    assert structure.open == []
    assert f'<html lang="{language}">' in page
    assert not re.search(r"<script|<link|@import|url\(|src=", page)
    assert set(re.findall(r"https?://[^\"'<\s]+", page)) <= {"http://www.w3.org/2000/svg"}


def test_both_languages_say_the_same_things() -> None:
    def keys(found: Mapping[str, object], at: str = "") -> set[str]:
        return {
            name
            for key, value in found.items()
            for name in (keys(value, f"{at}{key}.") if isinstance(value, dict) else {f"{at}{key}"})
        }

    assert keys(words_of("en")) == keys(words_of("zh"))
    assert {asked.key for asked in TRENDS} == set(words_of("en")["trend"])


def test_what_is_absent_says_why_and_nothing_is_made_up() -> None:
    page = as_html(EMPTY, "en")
    assert page.count("Not measured: the site has no Prometheus.") == 3
    assert "No answer. <span" in page
    assert "the &lt;hosts&gt; are away" in page
    assert "the site has no backup host" in page
    assert "<code>rackwright audit</code>" in page
    assert 'class="chart"' not in page
    assert {tile.state for tile in tiles(EMPTY, words_of("en"))} == {"none"}
    assert {tile.value for tile in tiles(EMPTY, words_of("en"))} == {"not measured"}


def test_the_first_line() -> None:
    values = {tile.title: (tile.value, tile.state) for tile in tiles(sample(), words_of("en"))}
    assert values == {
        "Services well": ("6/7", "fail"),
        "Alerts now": ("1", "fail"),
        "Oldest newest backup": ("33 h", "warn"),
        "Soonest certificate": ("71 days", "pass"),
        "First full disk": ("11 days", "warn"),
        "Audit": ("21/24", "fail"),
    }


def test_a_store_without_a_backup_is_the_worst() -> None:
    report = sample(backups=Backups((Backup("a/x", NOW, 1, 1), Backup("b/y", None, None, 0))))
    (tile,) = (tile for tile in tiles(report, words_of("en")) if tile.title == "Oldest newest backup")
    assert (tile.value, tile.state) == ("no backup yet", "fail")


def test_no_alert_in_the_week_is_said() -> None:
    assert "No alert has fired." in as_html(sample(alerts=()), "en")


def test_a_forged_rehearsal_is_told() -> None:
    whole = sample()
    forged = sample(rehearsal=replace(whole.rehearsal, genuine=False))  # type: ignore[type-var]
    assert "Its signature is NOT the site&#39;s." in as_html(forged, "en")


def test_texts_of_the_site_are_escaped() -> None:
    page = as_html(sample(site="<b>x</b>"), "en")
    assert "<b>x</b>" not in page
    picture = chart(Trend("cpu", "percent", (Series("<i>", ((NOW, 1.0),)),)), "<t>", 7)
    assert "<t>" not in picture


def test_json_is_plain_and_says_what_is_absent() -> None:
    found = json.loads(json.dumps(EMPTY.as_dict()))
    assert found["made_at"] == MADE_AT
    assert found["alerts"] == {"absent": "no_monitoring", "detail": ""}
    assert found["trends"][0]["series"] == {"absent": "no_monitoring", "detail": ""}
    whole = json.loads(json.dumps(sample().as_dict()))
    assert whole["rehearsal"]["rto"] == 312.5
    assert len(whole["trends"][0]["series"][0]["points"]) == 169
    assert "topology" not in whole


def test_a_curve_is_broken_where_nothing_was_measured() -> None:
    whole = chart(Trend("cpu", "percent", (curve("a", 40, 30),)), "t", 7)
    broken = chart(Trend("cpu", "percent", (curve("a", 40, 30, range(60, 90)),)), "t", 7)
    assert (whole.count('class="curve'), broken.count('class="curve')) == (1, 2)


def test_of_many_curves_the_highest_are_drawn() -> None:
    trend = Trend("data", "bytes", tuple(curve(f"db{n}", n, 0) for n in range(10)))
    assert [series.name for series in drawn(trend)] == [f"db{n}" for n in range(2, 10)]


def test_curves_stay_within_the_picture() -> None:
    trend = Trend("cpu", "number", (curve("a", 1234, 567), curve("b", 0, 0)), bound=5000)
    for path in re.findall(r'class="curve c\d" d="M([^"]+)"', chart(trend, "t", 7)):
        for point in path.split("L"):
            x, y = map(float, point.split())
            assert 52 <= x <= 510
            assert 10 <= y <= 166


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 s"), (0.012, "12 ms"), (2.25, "2.25 s"), (312.5, "5.2 min"), (7200, "2 h"), (604800, "7 d")],
)
def test_spans_of_time(value: float, text: str) -> None:
    assert seconds(value) == text


def test_values_have_their_units() -> None:
    assert shown(34.25, "percent") == "34.2 %"
    assert shown(0.125, "per_second") == "0.12/s"
    assert shown(1234, "number") == "1,234"
    assert size(999) == "999 B"
    assert size(4.1e9) == "4.1 GB"
