"""Backup and restore against a dump: the figures, and a whole measurement of a small cluster."""

import io
from pathlib import Path

from rich.console import Console

from rackwright.bench.backup import BACKUP_AIM, Speedup, bench_backup
from rackwright.bench.measure import Series
from rackwright.lab.progress import Board


def speedup(*rounds: tuple[float, float]) -> Speedup:
    ours, plain = zip(*rounds, strict=True)
    return Speedup("backup", "a test", BACKUP_AIM, Series(tuple(ours)), Series(tuple(plain)))


def test_the_median_of_the_rounds_decides() -> None:
    found = speedup((1, 2.9), (1, 3.1), (1, 9))
    assert found.ratios.values == (2.9, 3.1, 9)
    assert found.met
    assert not speedup((1, 2.9)).met
    assert found.as_dict()["times_faster"]["median"] == 3.1


def test_a_small_cluster_is_backed_up_and_comes_back_by_both_ways() -> None:
    place = Path("/tmp")  # noqa: S108 - a socket's path must be short
    before = set(place.glob("rackwright-backup-*"))
    quiet = Board(Console(file=io.StringIO()))
    backup, restore = bench_backup(1, quiet, size_mb=16, parent=place)
    assert min(*backup.ours.values, *backup.plain.values, *restore.ours.values, *restore.plain.values) > 0
    assert len(backup.notes) == 2
    assert set(place.glob("rackwright-backup-*")) == before
