"""Two throw-away PostgreSQL clusters: one as Debian makes it, one as our role configures it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import yaml

from rackwright.errors import RackwrightError
from rackwright.site.paths import repository_root
from rackwright.sizing.postgresql import size_postgresql

LIBRARIES = Path("/usr/lib/postgresql")
TEMPLATE = Path("templates/etc/postgresql/conf.d/10-rackwright.conf.j2")
_USER = "postgres"
# What both must have in common, or the one that risks data is the faster one.
SAFETY = ("fsync", "synchronous_commit", "full_page_writes", "wal_level", "wal_sync_method")


@dataclass(frozen=True)
class Cluster:
    """A cluster that runs, reached by its socket only.

    Attributes:
        name: `default` or `tuned`.
        programs: where PostgreSQL's programs are.
        directory: holds its data and its socket.
    """

    name: str
    programs: Path
    directory: Path

    def run(self, program: str, *arguments: str, seconds: float = 600) -> str:
        """Run a program of PostgreSQL as the clusters' user and return what it printed.

        Raises:
            RackwrightError: It failed, or took too long.
        """
        return as_user([str(self.programs / program), *arguments], self.directory, seconds)

    def ask(self, query: str, database: str = "postgres") -> str:
        """Return the answer to a query, without headings."""
        return self.run("psql", *self.reach, "-XAtqc", query, database).strip()

    @property
    def reach(self) -> tuple[str, ...]:
        """Options that lead a client to it."""
        return "-h", str(self.directory), "-U", _USER


def as_user(command: Sequence[str], directory: Path, seconds: float = 600) -> str:
    """Run a command as the user postgres (root may), or as whoever runs this.

    Raises:
        RackwrightError: It failed, or took too long.
    """
    prefix = []
    if os.geteuid() == 0:
        prefix = ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--init-groups", "--"]
    try:
        done = subprocess.run(
            [*prefix, *command],
            cwd=directory,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(directory)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired as error:
        raise RackwrightError(f"{Path(command[0]).name}: no end after {seconds:.0f} s") from error
    if done.returncode:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-10:])
        raise RackwrightError(f"{Path(command[0]).name} failed with {done.returncode}: {said}")
    return done.stdout


def newest_programs(libraries: Path = LIBRARIES) -> Path:
    """Return where the newest PostgreSQL of this machine has its programs.

    Raises:
        RackwrightError: There is none with server and pgbench.
    """
    found = [path.parent for path in libraries.glob("*/bin/pgbench") if (path.parent / "initdb").exists()]
    if not found:
        raise RackwrightError(
            f"there is no PostgreSQL server with pgbench below {libraries}",
            hint="install Debian's package postgresql (`make packages` does)",
        )
    return max(found, key=lambda path: int(path.parent.name))


def role_configuration(memory_mb: int, cpus: int, role: Path) -> str:
    """Render the role's own configuration file for a budget.

    Args:
        memory_mb: PostgreSQL's share of a host, in MB.
        cpus: its cores.
        role: the role's directory.

    Raises:
        RackwrightError: The template needs something that is not known here.
    """
    defaults: dict[str, Any] = yaml.safe_load((role / "defaults/main.yml").read_text(encoding="utf-8"))
    settings = size_postgresql(memory_mb, cpus, storage="ssd", huge_pages=False).values()
    variables = {
        **{name: value for name, value in defaults.items() if "{{" not in str(value)},
        "ansible_managed": "benchmark",
        "postgresql_budget": {"memory_mb": memory_mb, "cpus": cpus},
        "postgresql_parameters": settings,
        "__postgresql_settings": settings,
        "postgresql_storage": "ssd",
        "postgresql_listen_address": "",
        # Of the names of the server's log, which these clusters do not write there.
        "postgresql_version": "bench",
        # A site's jobs by pg_cron are no part of what is compared, and this machine need not have it.
        "postgresql_preload_libraries": ["pg_stat_statements"],
    }
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, autoescape=False)  # noqa: S701 - a configuration file
    try:
        return environment.from_string((role / TEMPLATE).read_text(encoding="utf-8")).render(variables)
    except jinja2.UndefinedError as error:
        raise RackwrightError(f"{TEMPLATE.name} needs more than the benchmark gives it: {error}") from error


@contextmanager
def both_clusters(memory_mb: int, cpus: int, parent: Path) -> Iterator[tuple[Cluster, Cluster]]:
    """Make and start both clusters; stop and remove them at the end.

    Args:
        memory_mb: the budget of the tuned one, in MB.
        cpus: its cores.
        parent: a directory on the disk that is to be measured.

    Raises:
        RackwrightError: PostgreSQL is missing, does not start, or the two do not keep data equally safe.
    """
    programs = newest_programs()
    with tempfile.TemporaryDirectory(prefix="rackwright-pgbench-", dir=parent) as made:
        root = Path(made)
        root.chmod(0o711)
        tuned = role_configuration(memory_mb, cpus, repository_root() / "roles/postgresql")
        clusters = (
            make_cluster("default", programs, root, "", ()),
            make_cluster("tuned", programs, root, tuned, ("-k",)),
        )
        started: list[Cluster] = []
        try:
            for cluster in clusters:
                control(cluster, "start")
                started.append(cluster)
            _require_equally_safe(clusters)
            yield clusters
        finally:
            for cluster in started:
                control(cluster, "stop")


def make_cluster(
    name: str, programs: Path, root: Path, configuration: str, options: tuple[str, ...]
) -> Cluster:
    """Make a cluster as pg_createcluster does; a line of configuration that is read last wins."""
    directory = root / name
    directory.mkdir(mode=0o700)
    own(directory)
    cluster = Cluster(name, programs, directory)
    data = directory / "data"
    arguments = [
        "-D",
        str(data),
        "-U",
        _USER,
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        # Synchronised once more before the first sample, by CHECKPOINT.
        "--no-sync",
        *options,
    ]
    cluster.run("initdb", *arguments)
    # Reached by a socket alone, so neither needs a certificate; and no port of this machine is taken.
    reach = f"listen_addresses = ''\nunix_socket_directories = '{directory}'\nport = 5432\nssl = off\n"
    # What it says goes to pg_ctl's file, beside no other server's.
    reach += "logging_collector = off\n"
    path = data / "postgresql.auto.conf"
    (data / "bench.conf").write_text(f"{configuration}\n{reach}", encoding="utf-8")
    with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write("include = 'bench.conf'\n")
    for written in (data / "bench.conf", path):
        own(written)
    return cluster


def own(path: Path) -> None:
    """Give a path to the clusters' user, where that is another than who runs this."""
    if os.geteuid() == 0:
        shutil.chown(path, _USER, _USER)


def control(cluster: Cluster, verb: str) -> None:
    """Start or stop a cluster, and wait until it has.

    Raises:
        RackwrightError: It does not; with the end of its log.
    """
    log = cluster.directory / "log"
    fast = ("-m", "fast") if verb == "stop" else ("-l", str(log))
    try:
        cluster.run("pg_ctl", verb, "-w", "-s", "-D", str(cluster.directory / "data"), *fast, seconds=120)
    except RackwrightError as error:
        said = log.read_text(encoding="utf-8", errors="replace")[-1500:] if log.exists() else ""
        raise RackwrightError(
            f"the {cluster.name} cluster does not {verb}: {error.message}\n{said}"
        ) from error


def _require_equally_safe(clusters: tuple[Cluster, Cluster]) -> None:
    kept = [safety_of(cluster) for cluster in clusters]
    if kept[0] != kept[1] or kept[0]["fsync"] != "on":
        raise RackwrightError(f"void: the clusters do not keep data equally safe: {kept[0]} and {kept[1]}")


def safety_of(cluster: Cluster) -> Mapping[str, str]:
    """Return the settings that speed would be bought with."""
    names = ", ".join(f"'{name}'" for name in SAFETY)
    rows = cluster.ask(f"SELECT name, setting FROM pg_settings WHERE name IN ({names})")  # noqa: S608 - our own names
    return dict(line.split("|", 1) for line in rows.splitlines())
