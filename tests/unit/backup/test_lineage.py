"""The one line of timelines that leads to a target, and what is missing on it."""

from hypothesis import given
from hypothesis import strategies as st

from rackwright.backup.agent import lineage

HISTORY = "1\t0/5000138\tbefore 2026-11-26 14:56:44+00\n\n2\t1/08000000\tat restore point\n"


def test_names_are_places_across_the_border_of_a_file() -> None:
    first, last = "0000000100000000000000FE", "000000010000000100000001"
    assert lineage.number(last) == lineage.number(first) + 3
    assert lineage.name(1, lineage.number(last)) == last


@given(st.integers(1, 1 << 30), st.integers(0, 1 << 39))
def test_a_name_is_read_as_it_was_made(line: int, place: int) -> None:
    name = lineage.name(line, place)
    assert (lineage.timeline(name), lineage.number(name)) == (line, place)


def test_each_timeline_gives_its_part() -> None:
    line = lineage.spans(3, HISTORY)
    assert line == (lineage.Span(1, 0, 5), lineage.Span(2, 5, 0x108), lineage.Span(3, 0x108, None))
    assert lineage.spans(1, "") == (lineage.Span(1, 0, None),)
    assert lineage.on_line(line, lineage.name(1, 5))
    assert lineage.on_line(line, lineage.name(2, 5))
    assert not lineage.on_line(line, lineage.name(1, 6)), "the first timeline was left in its segment 5"


def test_what_another_line_has_closes_no_gap() -> None:
    line = lineage.spans(2, "1\t0/5000138\tx\n")
    held = {lineage.name(1, place) for place in (3, 4, 5, 6, 7)} | {
        lineage.name(2, place) for place in (5, 7)
    }
    first = lineage.name(1, 3)
    assert lineage.gap(held, line, first, None) == lineage.name(2, 6)
    assert lineage.gap(held, line, first, lineage.name(2, 5)) is None
    assert lineage.gap(held | {lineage.name(2, 6)}, line, first, None) is None
    # The segment in which a timeline was left may be on either.
    assert lineage.gap(held - {lineage.name(1, 5)}, line, first, lineage.name(2, 5)) is None
    assert lineage.gap(set(), line, first, None) == first


def test_the_timeline_of_a_moment() -> None:
    began = {2: 100.0, 3: 200.0}
    assert [lineage.until(began, moment) for moment in (50, 100, 150, 999, None)] == [1, 2, 2, 3, 3]
