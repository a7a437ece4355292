"""A rate with a burst, and the window that a proxy without buckets counts by."""

from hypothesis import given
from hypothesis import strategies as st

from rackwright.edge.limits import SHORTEST_MS, window


@given(st.integers(1, 100_000), st.integers(0, 100_000))
def test_a_burst_passes_at_once_and_the_rate_for_good(rate: int, burst: int) -> None:
    found = window(rate, burst)

    assert found.period_ms >= SHORTEST_MS
    # The request that is due and the burst.
    assert found.most >= burst + 1
    a_second = found.most * 1000 / found.period_ms
    assert a_second <= rate or found.most == 1
    # Whole milliseconds and whole requests: less than one of either is lost.
    assert (found.most + 1) * 1000 / (found.period_ms - 1) > rate


def test_the_plans_limits() -> None:
    assert window(100, 20) == window(100, 20).__class__(210, 21)
    assert (window(10, 10).period_ms, window(10, 10).most) == (1100, 11)
