"""`rackwright bench pgbench`: transactions a second of the tuned server, against Debian's default."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rackwright.bench.clusters import Cluster, both_clusters
from rackwright.bench.measure import Series
from rackwright.errors import RackwrightError
from rackwright.lab.progress import Board

ROUNDS = 5
SECONDS = 10
MEMORY_MB = 4096
CPUS = 2
# A sample that is this much slower may be chance on a machine with neighbours.
NOISE = 0.05
# What counting every statement (pg_stat_statements) takes of the smallest lookups: five of fifty microseconds
# of the server's time, as measured. Where there is more to do it does not show.
STATISTICS = 0.05
_CLIENTS_PER_CPU = 4
# One unit of pgbench's scale is 100,000 accounts, 15 MB with their index.
_SCALE_MB = 15
# Debian's shared_buffers.
DEFAULT_BUFFERS_MB = 128
_TPS = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)
_FAILED = re.compile(r"^number of failed transactions: ([1-9]\d*)", re.MULTILINE)


@dataclass(frozen=True)
class Load:
    """One kind of work.

    Attributes:
        database: which of a cluster's two databases.
        scale: pgbench's scale.
        read_only: whether it only looks up accounts.
    """

    database: str
    scale: int
    read_only: bool

    @property
    def name(self) -> str:
        """Short name, for people and machines."""
        return f"{'read-only' if self.read_only else 'read-write'} {self.database}"

    @property
    def fits(self) -> bool:
        """Whether Debian's buffers hold it all."""
        return self.scale * _SCALE_MB < DEFAULT_BUFFERS_MB

    @property
    def title(self) -> str:
        """What it is."""
        where = "below" if self.fits else "above"
        return f"{self.scale * _SCALE_MB} MB, {where} Debian's shared_buffers"

    @property
    def aim(self) -> float:
        """The ratio that tuning must not fall below."""
        return round(1 - NOISE - (STATISTICS if self.read_only and self.fits else 0), 2)


LOADS = tuple(
    Load(database, scale, read_only)
    for database, scale in (("small", 6), ("large", 40))
    for read_only in (False, True)
)


@dataclass(frozen=True)
class Throughput:
    """Transactions a second of both sides, round by round.

    Attributes:
        load: what was done.
        tuned: our server.
        default: Debian's.
    """

    load: Load
    tuned: Series
    default: Series

    def __post_init__(self) -> None:
        """Refuse sides that were not measured the same number of times."""
        if len(self.tuned.values) != len(self.default.values):
            raise ValueError("both sides need the same number of rounds")

    @property
    def ratios(self) -> Series:
        """Ours to Debian's within each round; more is better."""
        pairs = zip(self.tuned.values, self.default.values, strict=True)
        return Series(tuple(ours / theirs for ours, theirs in pairs))

    @property
    def met(self) -> bool:
        """Whether tuning cost nothing beyond noise."""
        return self.ratios.median >= self.load.aim

    def as_dict(self) -> dict[str, Any]:
        """Return everything for JSON."""
        return {
            "name": self.load.name,
            "title": self.load.title,
            "aim": self.load.aim,
            "met": self.met,
            "ratio": self.ratios.as_dict(2),
            "tuned_tps": self.tuned.as_dict(0),
            "default_tps": self.default.as_dict(0),
        }


def bench_pgbench(
    rounds: int,
    board: Board,
    *,
    seconds: int = SECONDS,
    memory_mb: int = MEMORY_MB,
    cpus: int = CPUS,
    loads: Sequence[Load] = LOADS,
    parent: Path | None = None,
) -> list[Throughput]:
    """Measure both servers in turn, under every load.

    Args:
        rounds: how many samples of each side.
        board: where progress is shown.
        seconds: length of a sample.
        memory_mb: the budget that ours is sized for, in MB.
        cpus: its cores.
        loads: the kinds of work.
        parent: a directory on the disk to measure; the system's for temporary files without it.

    Raises:
        RackwrightError: PostgreSQL is missing, or a transaction failed.
    """
    place = parent or Path(tempfile.gettempdir())
    with both_clusters(memory_mb, cpus, place) as clusters:
        with board.step("pgbench: fill") as step:
            _fill(clusters, loads)
            version = clusters[0].ask("SHOW server_version").split()[0]
            step.say(f"PostgreSQL {version}, budget {memory_mb} MB, {cpus} cores")
        return [_measure(clusters, load, rounds, seconds, cpus, board) for load in loads]


def _fill(clusters: Sequence[Cluster], loads: Sequence[Load]) -> None:
    scales: Mapping[str, int] = {load.database: load.scale for load in loads}
    for cluster in clusters:
        for database, scale in scales.items():
            cluster.run("createdb", *cluster.reach, database)
            cluster.run("pgbench", *cluster.reach, "-i", "-q", "-s", str(scale), database)
            cluster.ask("CREATE EXTENSION pg_prewarm", database)


def _measure(
    clusters: tuple[Cluster, Cluster], load: Load, rounds: int, seconds: int, cpus: int, board: Board
) -> Throughput:
    found: dict[str, list[float]] = {cluster.name: [] for cluster in clusters}
    with board.step(f"pgbench: {load.name}") as step:
        for number in range(rounds):
            # Who goes first changes, so that neither always meets what the other left behind.
            for cluster in clusters if number % 2 == 0 else clusters[::-1]:
                found[cluster.name].append(_sample(cluster, load, seconds, cpus, clusters))
            step.say(", ".join(f"{name} {values[-1]:.0f}" for name, values in found.items()) + " tps")
    return Throughput(load, Series(tuple(found["tuned"])), Series(tuple(found["default"])))


def _sample(cluster: Cluster, load: Load, seconds: int, cpus: int, clusters: Sequence[Cluster]) -> float:
    """One sample: both servers idle, the same pages read before, then only this one is asked."""
    for other in clusters:
        other.ask("CHECKPOINT")
    for relation in ("pgbench_accounts", "pgbench_accounts_pkey", "pgbench_branches", "pgbench_tellers"):
        cluster.ask(f"SELECT pg_prewarm('{relation}')", load.database)
    arguments = ["-n", "-T", str(seconds), "-c", str(cpus * _CLIENTS_PER_CPU), "-j", str(cpus)]
    if load.read_only:
        arguments.append("-S")
    told = cluster.run("pgbench", *cluster.reach, *arguments, load.database, seconds=seconds + 300)
    return read_tps(told)


def read_tps(told: str) -> float:
    """Read the transactions a second from what pgbench printed.

    Raises:
        RackwrightError: There is no figure, or transactions failed.
    """
    found, failed = _TPS.search(told), _FAILED.search(told)
    if found is None or failed is not None:
        raise RackwrightError(f"pgbench's sample is no use: {told.strip()[-500:]}")
    return float(found[1])
