"""MongoDB within its share: all that it may take fits, and what does not is refused with what would."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackwright.sizing.asked import Asked
from rackwright.sizing.budget import ServiceBudget
from rackwright.sizing.intent import Intent
from rackwright.sizing.machine import Machine
from rackwright.sizing.mongodb import SMALLEST_CACHE_MB, size_mongodb, worst_case_mb
from rackwright.sizing.refusal import RefusedError


def asked(memory_mb: int, **options: object) -> Asked:
    share = ServiceBudget(memory_mb, 2, 2.0, {})
    return Asked("mongodb", share, Machine(memory_mb, 2), Intent(), options=options)


@given(st.integers(256, 1 << 20), st.none() | st.integers(1, 5000))
def test_all_connections_and_a_full_cache_fit_into_the_share(memory_mb: int, connections: int | None) -> None:
    try:
        sized = size_mongodb(asked(memory_mb, mongodb_connections=connections))
    except RefusedError as error:
        enough = int(str(error.changes[0].value))
        assert enough > memory_mb
        sized = size_mongodb(asked(enough, mongodb_connections=connections or sized_connections(error)))
        memory_mb = enough
    assert worst_case_mb(sized) <= memory_mb
    # The server starts with no smaller one.
    assert float(sized.parameters["cache_gb"].value) * 1024 >= SMALLEST_CACHE_MB


def sized_connections(error: RefusedError) -> int:
    """The number that the refusal was worked out with; a larger share would have more."""
    return int(str(error).split(" connections")[0].rsplit(" ", 1)[1])


def test_the_smallest_share_of_the_catalogue_is_enough() -> None:
    assert size_mongodb(asked(768)).values == {
        "memory_mb": 768,
        "cpus": 2,
        "cache_gb": 0.36,
        "connections": 48,
    }


def test_what_the_operator_says_counts() -> None:
    assert size_mongodb(asked(4096, mongodb_connections=40)).values["connections"] == 40
    with pytest.raises(RefusedError, match="with 900 connections it needs 1476 MB"):
        size_mongodb(asked(1024, mongodb_connections=900))
