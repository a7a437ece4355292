"""MariaDB within its share: all that it may take fits, and what does not is refused with what would."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackwright.sizing.asked import Asked
from rackwright.sizing.budget import ServiceBudget
from rackwright.sizing.intent import Intent
from rackwright.sizing.machine import Machine
from rackwright.sizing.mariadb import SMALLEST_POOL_MB, size_mariadb, worst_case_mb
from rackwright.sizing.refusal import RefusedError


def asked(memory_mb: int, disk_gb: int | None = None, **options: object) -> Asked:
    share = ServiceBudget(memory_mb, 2, 2.0, {})
    return Asked("mariadb", share, Machine(memory_mb, 2), Intent(), disk_gb=disk_gb, options=options)


@given(
    st.integers(256, 1 << 20),
    st.none() | st.integers(1, 20_000),
    st.none() | st.integers(1, 5000),
)
def test_all_connections_and_a_full_pool_fit_into_the_share(
    memory_mb: int, disk_gb: int | None, connections: int | None
) -> None:
    try:
        sized = size_mariadb(asked(memory_mb, disk_gb, mariadb_connections=connections))
    except RefusedError as error:
        enough = int(str(error.changes[0].value))
        assert enough > memory_mb
        sized = size_mariadb(asked(enough, disk_gb, mariadb_connections=connections))
        memory_mb = enough
    assert worst_case_mb(sized) <= memory_mb
    pool = int(sized.parameters["innodb_buffer_pool_size"].value)
    assert pool >= SMALLEST_POOL_MB
    log = int(sized.parameters["innodb_log_file_size"].value)
    assert log <= max(48, pool)
    assert sized.values["innodb_buffer_pool_size"] == f"{pool}M"


def test_the_smallest_share_of_the_catalogue_is_enough() -> None:
    assert size_mariadb(asked(256)).values == {
        "innodb_buffer_pool_size": "72M",
        "max_connections": 16,
        "innodb_log_file_size": "48M",
        "innodb_io_capacity": 2000,
    }


def test_a_small_disk_bounds_the_log_and_what_the_operator_says_counts() -> None:
    assert size_mariadb(asked(65_536, 20)).values["innodb_log_file_size"] == "1024M"
    assert size_mariadb(asked(65_536)).values["innodb_log_file_size"] == "4096M"
    assert size_mariadb(asked(4096, mariadb_connections=40)).values["max_connections"] == 40
    with pytest.raises(RefusedError, match="with 900 connections it needs"):
        size_mariadb(asked(2048, mariadb_connections=900))
