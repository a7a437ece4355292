"""Numbers above a limit, as a regular expression finds them."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from rackwright.edge.traefik.lengths import longer_than


@given(st.integers(0, 10**12), st.integers(0, 10**12))
@example(52_428_800, 52_428_800)
@example(52_428_800, 52_428_801)
@example(99, 100)
@example(0, 0)
def test_every_number_above_the_limit_is_found_and_no_other(limit: int, number: int) -> None:
    assert bool(re.search(longer_than(limit), str(number))) == (number > limit)


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_leading_zeros_hide_nothing(limit: int, number: int) -> None:
    assert bool(re.search(longer_than(limit), f"000{number}")) == (number > limit)
