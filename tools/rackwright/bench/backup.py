"""`rackwright bench backup`: backup and restore of a cluster, against a dump as the plan has it."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rackwright.bench import backup_data
from rackwright.bench.clusters import (
    Cluster,
    as_user,
    control,
    make_cluster,
    newest_programs,
    own,
    role_configuration,
)
from rackwright.bench.measure import Series
from rackwright.bench.repository import Repository, make_repository
from rackwright.errors import RackwrightError
from rackwright.lab.progress import Board
from rackwright.site.paths import repository_root

ROUNDS = 2
SIZE_MB = 2048
MEMORY_MB = 4096
CPUS = 2
DATABASE = "bench"
BACKUP_AIM, RESTORE_AIM = 3.0, 4.0
SECONDS = 3600.0
WAITING = "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'"


@dataclass(frozen=True)
class Speedup:
    """One benchmark: seconds of both sides, round by round.

    Attributes:
        name: `backup` or `restore`.
        title: What was timed.
        aim: How many times faster ours must be.
        ours: Seconds of the platform's way.
        plain: Seconds of the dump's.
        notes: What a reader of the figures must know.
    """

    name: str
    title: str
    aim: float
    ours: Series
    plain: Series
    notes: tuple[str, ...] = ()

    @property
    def ratios(self) -> Series:
        """How many times faster ours is, within each round; more is better."""
        return Series(tuple(b / a for a, b in zip(self.ours.values, self.plain.values, strict=True)))

    @property
    def met(self) -> bool:
        """Whether the median reaches the aim."""
        return self.ratios.median >= self.aim

    def as_dict(self) -> dict[str, Any]:
        """Return everything for JSON."""
        return {
            "name": self.name,
            "title": self.title,
            "aim": self.aim,
            "met": self.met,
            "times_faster": self.ratios.as_dict(2),
            "rackwright_seconds": self.ours.as_dict(2),
            "dump_seconds": self.plain.as_dict(2),
            "notes": list(self.notes),
        }


def bench_backup(
    rounds: int, board: Board, *, size_mb: int = SIZE_MB, parent: Path | None = None
) -> list[Speedup]:
    """Measure both ways in turn on one cluster.

    Args:
        rounds: how often each side is timed.
        board: where progress is shown.
        size_mb: size of the database, in MB.
        parent: a directory on the disk to measure; the system's for temporary files without it.

    Raises:
        RackwrightError: A program is missing or failed, or what came back is not what was there.
    """
    with tempfile.TemporaryDirectory(prefix="rackwright-backup-", dir=parent) as made:
        root = Path(made)
        root.chmod(0o711)
        with _source(root) as (source, repository):
            with board.step("backup: fill") as step:
                size = _fill(source, size_mb)
                step.say(f"{size >> 20} MB")
            return _Measurement(source, repository, root, size).run(rounds, board)


@contextmanager
def _source(root: Path) -> Iterator[tuple[Cluster, Repository]]:
    programs = newest_programs()
    settings = role_configuration(MEMORY_MB, CPUS, repository_root() / "roles/postgresql")
    repository = make_repository(root, root / "source", CPUS)
    archiving = f"archive_mode = on\narchive_command = '{repository.archive_command}'\n"
    cluster = make_cluster("source", programs, root, settings + "\n" + archiving, ("-k",))
    control(cluster, "start")
    try:
        repository.run("stanza-create")
        yield cluster, repository
    finally:
        control(cluster, "stop")


def _fill(source: Cluster, size_mb: int) -> int:
    source.run("createdb", *source.reach, DATABASE)
    for statement in backup_data.TABLES:
        source.ask(statement, DATABASE)
    part = 0
    while (size := int(source.ask(f"SELECT pg_database_size('{DATABASE}')"))) < size_mb << 20:
        for statement in backup_data.statements(part):
            source.run("psql", *source.reach, "-XAtqc", statement, DATABASE, seconds=SECONDS)
        part += 1
    for statement in backup_data.LAST:
        source.run("psql", *source.reach, "-XAtqc", statement, DATABASE, seconds=SECONDS)
    return max(size, int(source.ask(f"SELECT pg_database_size('{DATABASE}')")))


class _Measurement:
    """All rounds on one cluster; what was restored is compared and thrown away."""

    def __init__(self, source: Cluster, repository: Repository, root: Path, size: int) -> None:
        self._source, self._repository, self._root, self._size = source, repository, root, size
        self._dump = source.directory / "dump.sql.gz"
        self._wanted = source.ask(backup_data.CONTENTS, DATABASE)

    def run(self, rounds: int, board: Board) -> list[Speedup]:
        """Measure; who goes first changes from round to round."""
        found: dict[str, list[float]] = {}
        sides = {
            "backup": (("ours", self._back_up), ("dump", self._dump_all)),
            "restore": (("ours", self._restore), ("dump", self._load)),
        }
        for name, ways in sides.items():
            with board.step(name) as step:
                for number in range(rounds):
                    for side, way in ways if number % 2 == 0 else ways[::-1]:
                        self._settle()
                        found.setdefault(f"{name} {side}", []).append(way())
                    told = (f"{side} {found[f'{name} {side}'][-1]:.1f} s" for side, _ in ways)
                    step.say(", ".join(told))
        notes = self._notes()
        return [
            Speedup(
                name,
                f"{self._size >> 20} MB, {title}",
                aim,
                Series(tuple(found[f"{name} ours"])),
                Series(tuple(found[f"{name} dump"])),
                notes if name == "backup" else (),
            )
            for name, title, aim in (
                ("backup", "full, against pg_dumpall | gzip", BACKUP_AIM),
                ("restore", "until writes are taken, against gunzip | psql", RESTORE_AIM),
            )
        ]

    def _settle(self) -> None:
        """Have what was written before a sample on the disk, and its log in the repository."""
        self._source.ask("CHECKPOINT")
        ends = time.monotonic() + SECONDS
        while self._source.ask(WAITING) != "0":
            if time.monotonic() > ends:
                raise RackwrightError("void: the log of what was filled in is not archived")
            time.sleep(0.5)

    def _notes(self) -> tuple[str, ...]:
        """Time a day's backup, of one row of a hundred, and say what each way takes of the disk."""
        self._source.ask(backup_data.DAY, DATABASE)
        self._settle()
        incremental = _timed(lambda: self._repository.run("backup", "--type=incr"))
        dump, full = self._dump.stat().st_size >> 20, self._repository.size_of_full() >> 20
        return (
            f"a backup of what changed, one row of a hundred: {incremental:.1f} s; a dump is always whole",
            f"on disk: the dump {dump} MB, the first full backup {full} MB, compressed and encrypted",
        )

    def _back_up(self) -> float:
        return _timed(lambda: self._repository.run("backup", "--type=full"))

    def _dump_all(self) -> float:
        reach = " ".join(self._source.reach)
        command = f"{self._source.programs / 'pg_dumpall'} {reach} | gzip > {self._dump}"
        return _timed(lambda: self._bash(command))

    def _restore(self) -> float:
        with _thrown_away(self._root / "restored") as directory:
            data = directory / "data"
            for place in (directory, data):
                place.mkdir(mode=0o700)
                own(place)
            target = Cluster("restored", self._source.programs, directory)
            # The restored configuration is the source's, whose socket is taken.
            options = f"-c unix_socket_directories={directory} -c archive_mode=off"

            def work() -> None:
                self._repository.run("restore", f"--pg1-path={data}", "--archive-mode=off")
                words = [
                    "-w",
                    "-s",
                    "-t",
                    "600",
                    "-D",
                    str(data),
                    "-o",
                    options,
                    "-l",
                    str(directory / "log"),
                ]
                target.run("pg_ctl", "start", *words)
                _await_writes(target)

            return self._checked(target, work)

    def _load(self) -> float:
        settings = role_configuration(MEMORY_MB, CPUS, repository_root() / "roles/postgresql")
        with _thrown_away(self._root / "loaded"):
            target = make_cluster("loaded", self._source.programs, self._root, settings, ("-k",))
            control(target, "start")
            reach = " ".join(target.reach)
            # The dump makes the role that is there already: psql says so and goes on.
            command = f"gunzip -c {self._dump} | {target.programs / 'psql'} {reach} -Xq -o /dev/null postgres"
            return self._checked(target, lambda: self._bash(command))

    def _checked(self, target: Cluster, work: Callable[[], object]) -> float:
        try:
            seconds = _timed(work)
            found = target.ask(backup_data.CONTENTS, DATABASE)
        finally:
            control(target, "stop")
        if found != self._wanted:
            raise RackwrightError(f"void: what came back by {target.name} is not what was there")
        return seconds

    def _bash(self, command: str) -> None:
        as_user(["bash", "-o", "pipefail", "-c", command], self._source.directory, SECONDS)


def _await_writes(cluster: Cluster) -> None:
    while cluster.ask("SELECT pg_is_in_recovery()") != "f":
        time.sleep(0.1)


def _timed(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


@contextmanager
def _thrown_away(directory: Path) -> Iterator[Path]:
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
