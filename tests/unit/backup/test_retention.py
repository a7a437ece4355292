"""Which snapshots a site lets go of."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from rackwright.backup.agent.retention import DAY, HOUR, Snapshot, superseded

NOW = datetime(2026, 3, 20, 12).astimezone()


def of(*hours: float, store: str = "data1/mariadb", point: str = "") -> list[Snapshot]:
    """Snapshots of so many hours ago, named by that."""
    return [
        Snapshot(f"{store}@{ago:g}", store, (NOW - timedelta(hours=ago)).timestamp(), 1, point)
        for ago in hours
    ]


def test_a_store_of_each_night_is_kept_for_the_days_that_the_site_says() -> None:
    held = of(0, 1, 24, 25, 24 * 29, 24 * 31, 24 * 32, store="data1/redis")
    assert superseded(held, 30, {}) == ["data1/redis@744", "data1/redis@768"]


def test_the_three_newest_stay_however_old_they_are() -> None:
    gone = superseded(of(24 * 50, 24 * 90, 24 * 120, 24 * 150), 7, {})
    assert gone == ["data1/mariadb@3600"]


def test_of_one_that_is_kept_each_ten_minutes_a_bounded_number_stays() -> None:
    held = of(*(minutes / 6 for minutes in range(6 * 24 * 40)))
    gone = set(superseded(held, 30, {"data1/mariadb": 10}))
    # All of a day, each hour of another, each day of the rest, and the hours and days that are cut by that.
    assert len(held) - len(gone) in range(144 + 24 + 28, 144 + 25 + 31)
    assert not gone & {entry.id for entry in of(*(minutes / 6 for minutes in range(6 * 24)))}


def test_a_points_own_stay_among_those_that_go_and_other_stores_are_none_of_theirs() -> None:
    often = of(*range(80))
    point, night = of(70.5, point="weekly-20260317"), of(*range(0, 80, 24), store="data1/redis")
    gone = superseded([*often, *point, *night], 30, {"data1/mariadb": 60})
    assert not {entry.id for entry in (*point, *night)}.intersection(gone)
    assert set(gone) == {entry.id for entry in of(*range(49, 61), *range(61, 80))} - {"data1/mariadb@61"}


@given(st.lists(st.integers(0, 70 * DAY), min_size=1, max_size=200, unique=True), st.integers(1, 60))
def test_no_hour_of_two_days_and_no_day_of_the_rest_is_left_without_one(ages: list[int], days: int) -> None:
    held = of(*(age / HOUR for age in ages))
    gone = set(superseded(held, days, {"data1/mariadb": 10}))
    assert len(held) - len(gone) >= min(3, len(held))
    newest = max(entry.time for entry in held)
    left = [entry for entry in held if entry.id not in gone]
    for entry in held:
        if newest - entry.time <= days * DAY:
            near = HOUR if newest - entry.time < 2 * DAY else DAY
            assert any(0 <= other.time - entry.time < near for other in left)
    # What was let go of once is not looked at again: what stays then stays now.
    assert superseded(left, days, {"data1/mariadb": 10}) == []
