"""What a host's logs may take is bounded, whatever the machine and whatever writes."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackwright.sizing.asked import Asked
from rackwright.sizing.budget import ServiceShare, host_budget
from rackwright.sizing.disk import reserve_gb
from rackwright.sizing.elasticsearch import size_elasticsearch
from rackwright.sizing.intent import Intent
from rackwright.sizing.log_server import size_log_server
from rackwright.sizing.logs import CONTAINER_MB, LogNeeds, size_logs
from rackwright.sizing.machine import Machine
from rackwright.sizing.refusal import RefusedError


def machine(disk_gb: int | None) -> Machine:
    return Machine(memory_mb=4096, cpus=2, disk_gb=disk_gb)


@given(
    disk_gb=st.none() | st.integers(min_value=1, max_value=50_000),
    files=st.integers(min_value=1, max_value=64),
    containers=st.integers(min_value=0, max_value=30),
    shipped=st.booleans(),
    days=st.integers(min_value=1, max_value=400),
)
def test_all_parts_together_are_within_the_space(
    disk_gb: int | None, files: int, containers: int, shipped: bool, days: int
) -> None:
    needs = LogNeeds(files, containers, shipped)
    intent = Intent(retention={"logs_days": days})
    try:
        sized = size_logs(machine(disk_gb), needs, intent).values
    except RefusedError as error:
        # What it names would do, where the disk has it.
        space = next(change.value for change in error.changes if change.variable == "log_space_mb")
        assert size_logs(machine(None), needs, intent, int(space)).values["file_max_kb"]
        return
    kept_mb = int(sized["file_max_kb"]) * files * (days + 1) / 1024
    parts = kept_mb + int(sized["journal_mb"]) + int(sized["buffer_mb"]) + containers * CONTAINER_MB
    assert parts <= int(sized["space_mb"])
    if disk_gb is not None:
        assert int(sized["space_mb"]) <= max(1024, reserve_gb(disk_gb) * 1024 * 4 // 5)
    assert bool(sized["buffer_mb"]) == shipped


def test_more_than_the_reserve_is_refused_with_what_would_do() -> None:
    with pytest.raises(RefusedError, match="log_space_mb is 50000") as caught:
        size_logs(machine(100), LogNeeds(), Intent(), 50_000)
    assert [change.variable for change in caught.value.changes] == ["log_space_mb", "host_disk_gb"]
    larger = int(caught.value.changes[1].value)
    assert size_logs(machine(larger), LogNeeds(), Intent(), 50_000).values["space_mb"] == 50_000


def test_days_that_the_store_cannot_hold_are_refused() -> None:
    budget = host_budget(8192, 4, {"elasticsearch": ServiceShare(4, 1024)})
    intent = Intent(concurrent_users=50, retention={"logs_days": 30})

    def sized(disk_gb: int, **options: int) -> int:
        asked = Asked(
            "elasticsearch",
            budget.services["elasticsearch"],
            machine(disk_gb),
            intent,
            disk_gb=disk_gb,
            options=options,
        )
        return int(size_elasticsearch(asked).values["days_held"])

    assert sized(20) >= 30
    with pytest.raises(RefusedError, match="hold 5 days of 300 MB") as caught:
        sized(2)
    assert caught.value.changes[1].value == 5
    with pytest.raises(RefusedError, match="10000 MB"):
        sized(20, log_store_daily_mb=10_000)


def test_the_log_server_holds_the_days_that_are_wanted_or_says_what_would_do() -> None:
    def sized(disk_gb: int | None, **options: int) -> Mapping[str, Any]:
        intent = Intent(retention={"logs_days": 30}, concurrent_users=50)
        return size_log_server(
            Asked("log_server", None, machine(disk_gb), intent, disk_gb=disk_gb, options=options)
        ).values

    # 75 MB a day.
    assert sized(4) == {"space_mb": 3558, "queue_mb": 128, "days_held": 47}
    with pytest.raises(RefusedError, match="2 GB of disk hold 22 days of 75 MB; 30 are wanted") as caught:
        sized(2)
    assert [(change.variable, change.value) for change in caught.value.changes] == [
        ("host_disk_gb", 6),
        ("tier_overrides.retention.logs_days", 22),
    ]
    with pytest.raises(RefusedError, match="of 500 MB"):
        sized(4, log_store_daily_mb=500)
    # Where nobody knows the disk, nothing is refused.
    assert sized(None)["space_mb"] == 1715
