"""What a rehearsal refuses, what its report says, and that nobody can change it unseen."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from rackwright.errors import RackwrightError
from rackwright.pki.authority import Authority
from rackwright.rehearsal.model import TARGETS, Phase, Report
from rackwright.rehearsal.report import is_genuine, markdown, page, span, write
from rackwright.rehearsal.run import AFTER, BEFORE, _found, place_of
from rackwright.site.inventory import Inventory, load_inventory
from rackwright.site.paths import repository_root

REPORT = Report(
    site="test",
    scenario="server",
    host="data1",
    machine="spare1",
    failed_at="2026-01-31T02:00:00+00:00",
    phases=(
        Phase("what is there already", -60, 60, counts=False),
        Phase("base", 0, 100),
        Phase("restore", 100, 50),
    ),
    rpo_seconds=42.0,
    last_write="2026-01-31T01:59:18+00:00",
    facts={"data1/postgresql": "100 rows <all>"},
)


def inventory(tmp_path: Path, groups: str) -> Inventory:
    """The lab's inventory, with groups laid over it."""
    overlay = tmp_path / "hosts.yml"
    overlay.write_text(f"all:\n  children:\n{groups}", encoding="utf-8")
    return load_inventory([repository_root() / "inventories/lab", overlay])


SPARE = (
    "    zone_data: {hosts: {spare1: {ansible_host: 10.77.30.21}}}\n    rehearsal: {hosts: {spare1: {}}}\n"
)


def test_a_machine_of_the_rehearsal_takes_the_databases_place(tmp_path: Path) -> None:
    place = place_of(inventory(tmp_path, SPARE), None, None)
    assert (place.host, place.machine, place.address) == ("data1", "spare1", "10.77.30.21")


@pytest.mark.parametrize(
    ("groups", "host", "machine", "told"),
    [
        ("    zone_data: {}\n", None, None, "has no machine"),
        (SPARE, None, "data1", "is not in the group `rehearsal`"),
        (SPARE, None, "ops1", "touches no other machine"),
        (SPARE + "    redis: {hosts: {spare1: {}}}\n", None, None, "is also in redis"),
        (SPARE, "nobody", None, "whose place could be taken"),
        (SPARE, "spare1", None, "whose place could be taken"),
    ],
)
def test_every_other_machine_is_refused(
    tmp_path: Path, groups: str, host: str | None, machine: str | None, told: str
) -> None:
    with pytest.raises(RackwrightError) as caught:
        place_of(inventory(tmp_path, groups), host, machine)
    assert told in caught.value.message


def test_every_scenario_has_targets_and_steps() -> None:
    assert set(TARGETS) == set(BEFORE) == set(AFTER)


def test_what_was_there_before_does_not_count() -> None:
    assert REPORT.rto_seconds == 150
    assert REPORT.met


@pytest.mark.parametrize(
    "changes",
    [
        {"rpo_seconds": 301.0},
        {"rpo_seconds": None},
        {"rpo_seconds": -1.0},
        {"problem": "no machine"},
        {"phases": (Phase("restore", 0, 4 * 3600 + 1),)},
    ],
)
def test_a_missed_target_is_missed(changes: dict[str, object]) -> None:
    missed = replace(REPORT, **changes)  # type: ignore[arg-type]
    assert not missed.met
    assert "missed" in markdown(missed)


NOTED = {"store": "data1/postgresql", "stopped": 1_000, "log_end": "000000010000000000000007"}


@pytest.mark.parametrize(
    ("last", "lost"),
    [
        ("1970-01-01 00:17:30.5+00", 49.5),
        # A failure right after a backup: no transaction follows it, or only what the backup has anyway.
        ("", 100),
        ("1970-01-01 00:16:30+00", 100),
    ],
)
@pytest.mark.parametrize(("replayed", "whole"), [("07", True), ("06", False)])
def test_the_last_write_is_the_logs_or_the_backups(
    last: str, lost: float, replayed: str, whole: bool
) -> None:
    told = {
        "last_transaction": last,
        "replayed": f"0000000100000000000000{replayed}",
        "rows": 5,
        "seconds": {"copy": 1},
    }
    result = {"results": [{"stdout": json.dumps(told), "item": NOTED}]}
    run = SimpleNamespace(
        recap=SimpleNamespace(results=[SimpleNamespace(task="Restore the cluster", result=result)])
    )
    found = _found(run, "database", datetime.fromtimestamp(1_100, UTC), [NOTED])  # type: ignore[arg-type]
    assert found["rpo"] == lost
    assert ("problem" in found) is not whole
    assert found["facts"]["data1/postgresql"].startswith("5 rows; the log to 000000010000000000000007")


def test_a_changed_report_is_no_longer_genuine(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "pki")
    authority.ensure("a passphrase for tests")
    directory = write(REPORT, tmp_path / "report", authority, "a passphrase for tests")
    assert is_genuine(directory, authority)
    told = json.loads((directory / "report.json").read_text())
    assert (told["met"], told["rto_seconds"], told["rpo_target_seconds"]) == (True, 150, 300)
    path = directory / "report.json"
    path.write_text(path.read_text().replace("42.0", "41.0"))
    assert not is_genuine(directory, authority)


def test_the_page_says_what_people_ask_and_escapes_the_rest() -> None:
    text = page(REPORT, "sig")
    for wanted in ("both targets met", "2 min 30 s", "4 h 00 min", "42.0 s", "<svg", "100 rows &lt;all&gt;"):
        assert wanted in text
    assert "http" not in text


def test_spans() -> None:
    assert [span(value) for value in (0, 4.2, 61, 7260)] == ["none", "4.2 s", "1 min 01 s", "2 h 01 min"]
