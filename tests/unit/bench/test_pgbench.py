"""pgbench: what is measured, how it is read, and that the clusters are what they are said to be."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from rackwright.bench.clusters import Cluster, both_clusters, newest_programs, role_configuration, safety_of
from rackwright.bench.measure import Series
from rackwright.bench.pgbench import (
    DEFAULT_BUFFERS_MB,
    LOADS,
    Load,
    Throughput,
    bench_pgbench,
    read_tps,
)
from rackwright.bench.report import throughput_table
from rackwright.errors import RackwrightError
from rackwright.lab.progress import Board
from rackwright.site.paths import repository_root
from rackwright.sizing.postgresql import size_postgresql

TOLD = """\
number of transactions actually processed: 24012
number of failed transactions: 0 (0.000%)
latency average = 0.833 ms
tps = 9601.529108 (without initial connection time)
"""


def test_a_sample_is_read() -> None:
    assert read_tps(TOLD) == 9601.529108


@pytest.mark.parametrize("told", ["", TOLD.replace(": 0 (0.000%)", ": 7 (0.029%)")])
def test_a_sample_with_failures_is_no_sample(told: str) -> None:
    with pytest.raises(RackwrightError, match="no use"):
        read_tps(told)


def test_the_loads_lie_on_both_sides_of_debians_buffers() -> None:
    found = {(load.read_only, load.scale * 15 > DEFAULT_BUFFERS_MB) for load in LOADS}
    assert found == {(False, False), (False, True), (True, False), (True, True)}
    assert next(load.title for load in LOADS if load.database == "small").endswith(
        "below Debian's shared_buffers"
    )


@pytest.mark.parametrize(("tuned", "met"), [(100.0, True), (96.0, True), (94.0, False), (300.0, True)])
def test_slower_beyond_noise_is_a_miss(tuned: float, met: bool) -> None:
    assert [load.aim for load in LOADS] == [0.95, 0.9, 0.95, 0.95]
    entry = Throughput(LOADS[0], Series((tuned, tuned, 1.0)), Series((100.0, 100.0, 100.0)))
    assert entry.met is met
    told = io.StringIO()
    Console(file=told, width=140).print(throughput_table([entry]))
    assert ("MISSED" in told.getvalue()) is not met
    assert entry.as_dict()["ratio"]["median"] == round(tuned / 100, 2)


def test_sides_are_measured_alike() -> None:
    with pytest.raises(ValueError, match="same number"):
        Throughput(LOADS[0], Series((1.0,)), Series((1.0, 2.0)))


def test_the_tuned_side_is_what_the_role_writes() -> None:
    text = role_configuration(4096, 2, repository_root() / "roles/postgresql")
    for name, value in size_postgresql(4096, 2, storage="ssd", huge_pages=False).values().items():
        assert f"{name} = '{value}'" in text
    assert "shared_preload_libraries = 'pg_stat_statements'" in text


def test_no_server_is_told(tmp_path: Path) -> None:
    with pytest.raises(RackwrightError, match="no PostgreSQL server"):
        newest_programs(tmp_path)
    for major in ("9", "17"):
        (tmp_path / major / "bin").mkdir(parents=True)
        for program in ("pgbench", "initdb"):
            (tmp_path / major / "bin" / program).touch()
    assert newest_programs(tmp_path) == tmp_path / "17/bin"


@pytest.fixture(scope="module")
def clusters() -> Iterator[tuple[Cluster, Cluster]]:
    with both_clusters(1024, 2, Path("/tmp")) as found:  # noqa: S108 - a socket's path must be short
        yield found


def test_both_sides_keep_data_alike_and_differ_in_what_is_tuned(clusters: tuple[Cluster, Cluster]) -> None:
    default, tuned = clusters
    assert safety_of(default) == safety_of(tuned)
    assert safety_of(default)["fsync"] == "on"
    wanted = size_postgresql(1024, 2, storage="ssd", huge_pages=False).values()
    assert {name: tuned.ask(f"SHOW {name}") for name in wanted} == wanted
    assert default.ask("SHOW shared_buffers") == "128MB"
    assert [cluster.ask("SHOW data_checksums") for cluster in clusters] == ["off", "on"]


def test_a_short_measurement_from_beginning_to_end() -> None:
    quiet = Board(Console(file=io.StringIO()))
    loads = (Load("tiny", 1, read_only=False), Load("tiny", 1, read_only=True))
    before = set(Path("/tmp").glob("rackwright-pgbench-*"))  # noqa: S108
    found = bench_pgbench(1, quiet, seconds=1, memory_mb=512, loads=loads, parent=Path("/tmp"))  # noqa: S108
    assert [entry.load.read_only for entry in found] == [False, True]
    assert all(entry.tuned.median > 0 < entry.default.median for entry in found)
    assert set(Path("/tmp").glob("rackwright-pgbench-*")) == before  # noqa: S108
