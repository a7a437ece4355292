from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from rackwright.bench.measure import Comparison, Series, as_json
from rackwright.bench.report import as_table, is_busy

seconds = st.floats(min_value=0.01, max_value=1000)


def comparison(ours: tuple[float, ...], floor: tuple[float, ...], aim: float = 1.15) -> Comparison:
    return Comparison("converge", "title", aim, Series(ours), Series(floor))


def test_ratios_are_taken_within_a_round() -> None:
    # The machine was twice as slow in the second round: no ratio shows it.
    found = comparison((10.0, 20.0, 11.0), (10.0, 20.0, 10.0)).ratios
    assert found.values == (1.0, 1.0, 1.1)
    assert (found.minimum, found.median, found.maximum) == (1.0, 1.0, 1.1)


def test_the_median_decides_not_the_best_round() -> None:
    assert comparison((10.0, 11.0, 30.0), (10.0, 10.0, 10.0)).met
    assert not comparison((10.0, 12.0, 12.0), (10.0, 10.0, 10.0)).met


def test_the_aim_itself_is_met() -> None:
    assert comparison((8.0,), (1.0,), aim=8.0).met


@given(st.lists(st.tuples(seconds, seconds), min_size=1, max_size=9))
def test_the_median_lies_between(rounds: list[tuple[float, float]]) -> None:
    ours, floor = zip(*rounds, strict=True)
    found = comparison(ours, floor).ratios
    assert found.minimum <= found.median <= found.maximum
    assert len(found.values) == len(rounds)


def test_rounds_must_match() -> None:
    with pytest.raises(ValueError, match="same number"):
        comparison((1.0, 2.0), (1.0,))
    with pytest.raises(ValueError, match="at least one"):
        Series(())


def test_json_has_every_round() -> None:
    told = as_json([comparison((2.0, 3.0), (2.0, 2.0))], {"cpus": 2})
    assert json.loads(json.dumps(told))["benchmarks"][0]["ratio"] == {
        "min": 1.0,
        "median": 1.25,
        "max": 1.5,
        "rounds": [1.0, 1.5],
    }
    assert told["benchmarks"][0]["met"] is False


def test_the_table_says_what_was_missed() -> None:
    output = io.StringIO()
    console = Console(width=120, file=output)
    console.print(as_table([comparison((3.0,), (2.0,)), comparison((2.0,), (2.0,))]))
    lines = output.getvalue().splitlines()
    ratios = [line.split() for line in lines if "ratio" in line]
    assert ratios == [
        ["ratio", "1.50", "1.50", "1.50", "<=", "1.15", "MISSED"],
        ["ratio", "1.00", "1.00", "1.00", "<=", "1.15", "met"],
    ]


def test_a_machine_with_other_work_is_busy() -> None:
    assert is_busy(load=1.0, cpus=2)
    assert not is_busy(load=0.3, cpus=2)
