"""Under a kernel with AppArmor, everything in enforce: services do their work, and nothing beside it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import Told

# With what is proved here; what of the rest has a profile is compiled in `make unit`.
PROVED = {
    "data1": {
        "blackbox_exporter",
        "chroma",
        "chroma-front",
        "host_metrics",
        "mariadb",
        "mysqld_exporter",
        "pgbouncer",
        "postgres_exporter",
        "rclone",
        "redis",
        "redis_exporter",
    },
    "edge1": {"blackbox_exporter", "haproxy", "haproxy-files", "haproxy-log", "host_metrics"},
}


def units(told: Told) -> Iterator[tuple[str, str]]:
    """Each unit with the profile that it is to run under."""
    for entry in told["confined"]:
        for unit in entry["units"]:
            yield unit, entry["profile"]


def test_the_machine_has_these_profiles_and_no_others(told: Told) -> None:
    names = {entry["profile"].removeprefix("rackwright.") for entry in told["confined"]}
    assert names in PROVED.values()
    assert {entry["mode"] for entry in told["confined"]} == {"enforce"}


@pytest.mark.parametrize("moment", ["up", "reloaded"])
def test_every_unit_runs_under_its_profile(told: Told, moment: str) -> None:
    seen = {unit: (told[moment][unit]["ActiveState"], told[moment][unit]["label"]) for unit, _ in units(told)}
    assert seen == {unit: ("active", f"{profile} (enforce)") for unit, profile in units(told)}


@pytest.mark.parametrize("moment", ["first", "again"])
def test_services_do_their_work(told: Told, moment: str) -> None:
    assert {name: answer for name, answer in told[moment].items() if answer != "ok"} == {}


def test_nothing_that_they_need_was_denied(told: Told) -> None:
    assert told["denials"] == []


def test_what_is_anothers_is_not_read(told: Told) -> None:
    """Not even by root, who may when he is under no profile."""
    assert set(told["control"].values()) == {"ok"}
    refused = dict.fromkeys(told["control"], "Permission denied")
    assert told["foreign"] == {profile: refused for _, profile in units(told)}


def test_nobody_starts_a_shell(told: Told) -> None:
    assert told["shell"] == {profile: "Permission denied" for _, profile in units(told)}
