"""MariaDB: a copy of the running server's files, made ready to start, and what it holds in numbers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from rackwright.backup.agent import archive
from rackwright.backup.agent.contents import CHECKSUM_BYTES, Contents, differences, rows_of
from rackwright.backup.agent.files import STAGING, Held
from rackwright.backup.agent.shell import Failed, last_words, run

SOCKET = Path("/run/mysqld/mysqld.sock")
USER = "mysql"
DATA = "data"
# What the copy says of itself: no file of a server.
NOTES = ("backup-my.cnf", "xtrabackup_*", "mariadb_backup_*")
START_SECONDS = 600
_TABLES = (
    "SELECT TABLE_SCHEMA, TABLE_NAME, COALESCE(DATA_LENGTH, 0) FROM information_schema.TABLES"
    " WHERE TABLE_TYPE = 'BASE TABLE'"
    " AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema') ORDER BY 1, 2"
)


def send(store: dict[str, Any], out: IO[bytes], held: Held) -> None:
    """Copy the running server's files as of one moment, and send them with what they hold."""
    STAGING.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The server that counts goes through it, and sees nothing else of it.
    STAGING.chmod(0o711)
    directory = Path(store["directory"])
    needed, free = _size(directory), shutil.disk_usage(STAGING).free
    if needed * 1.1 > free:
        raise Failed(f"a copy takes {needed >> 20} MB, {STAGING} has {free >> 20} MB free")
    with tempfile.TemporaryDirectory(dir=STAGING) as place:
        Path(place).chmod(0o711)
        copy = Path(place) / DATA
        run(["mariadb-backup", "--backup", f"--target-dir={copy}", "--user=root", f"--socket={SOCKET}"])
        # Of pages it has read every checksum; the moment that it stands for is its end.
        held()
        run(["mariadb-backup", "--prepare", f"--target-dir={copy}", "--use-memory=64M"])
        contents = contents_of(copy)
        facts = {"kind": "mariadb", "version": series(), "contents": contents}
        archive.send(out, [(DATA, copy)], facts)


def receive(store: dict[str, Any], source: IO[bytes]) -> dict[str, Any]:
    """Put a copy in the place of the data, once it is seen to hold what it held; the old data is kept."""
    directory, unit = Path(store["directory"]), store["unit"]
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=".rackwright-") as held:
        Path(held).chmod(0o711)
        manifest = archive.receive(source, Path(held))
        fresh = Path(held) / DATA
        rows = compared(Path(held), manifest)
        run(["systemctl", "stop", unit])
        aside = directory.with_name(f"{directory.name}.before-restore")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(mode=0o700)
        # The directory stays: it may be a disk of its own.
        for entry in list(directory.iterdir()):
            shutil.move(entry, aside / entry.name)
        for path in [found for pattern in NOTES for found in fresh.glob(pattern)]:
            path.unlink()
        for entry in list(fresh.iterdir()):
            shutil.move(entry, directory / entry.name)
        run(["chown", "-R", f"{USER}:", str(directory)])
    run(["systemctl", "start", unit])
    _await(SOCKET, None)
    return {
        "kind": "mariadb",
        "rows": rows_of(_counted(SOCKET)),
        "rows_in_backup": rows,
        "aside": str(aside),
    }


def compared(unpacked: Path, manifest: dict[str, Any]) -> int:
    """Have a server that nobody reaches look at what was unpacked; return how many rows it has.

    Raises:
        Failed: It is of another series than this host's program, does not start, or holds something else.
    """
    if manifest["version"] != series():
        raise Failed(
            f"the backup is of MariaDB {manifest['version']}, this host has {series()}; nothing was changed",
            f"take a host with MariaDB {manifest['version']}",
        )
    different = differences(manifest["contents"], contents_of(unpacked / DATA))
    if different:
        raise Failed(f"the backup is not what it was: {'; '.join(different[:3])}; nothing was changed")
    return rows_of(manifest["contents"])


def series() -> str:
    """Return the series of this host's program, such as 11.8: files of one are not those of another."""
    said = run(["mariadbd", "--version"]).stdout
    found = re.search(r"Ver (\d+\.\d+)\.", said)
    if found is None:
        raise Failed(f"mariadbd does not say its version: {last_words(said, 1)}")
    return found.group(1)


def contents_of(copy: Path) -> Contents:
    """Return what a copy holds: of each table its rows, and a checksum where it is not large."""
    with _server(copy) as socket:
        return _counted(socket)


@contextmanager
def _server(copy: Path) -> Iterator[Path]:
    """Run a server on a copy while the block lasts: no port, no accounts, nothing is written to tables."""
    with tempfile.TemporaryDirectory(prefix="rackwright-") as place:
        socket, log = Path(place) / "server.sock", Path(place) / "server.log"
        command = [
            "mariadbd",
            f"--defaults-file={copy}/backup-my.cnf",
            f"--datadir={copy}",
            f"--socket={socket}",
        ]
        command += [f"--pid-file={place}/server.pid", f"--log-error={log}", f"--tmpdir={place}"]
        command += [
            "--skip-networking",
            "--skip-grant-tables",
            "--skip-log-bin",
            "--read-only=1",
            "--innodb-read-only=1",
        ]
        command += ["--innodb-buffer-pool-size=64M", "--key-buffer-size=8M", "--lower-case-table-names=0"]
        if os.geteuid() == 0:
            run(["chown", "-R", f"{USER}:", str(copy), place])
            command.append(f"--user={USER}")
        server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/"
        )
        try:
            _await(socket, server, log)
            yield socket
        finally:
            server.terminate()
            server.wait(timeout=120)


def _await(socket: Path, server: subprocess.Popen[bytes] | None, log: Path | None = None) -> None:
    ends = time.monotonic() + START_SECONDS
    while run(_client(socket), data="SELECT 1;", check=False).stdout.strip() != "1":
        if (server is not None and server.poll() is not None) or time.monotonic() > ends:
            told = last_words(log.read_text(errors="replace"), 3) if log is not None and log.exists() else ""
            raise Failed(f"the server does not start on what was restored: {told or 'journalctl -u mariadb'}")
        time.sleep(0.2)


def _counted(socket: Path) -> Contents:
    found: Contents = {}
    for line in run(_client(socket), data=_TABLES).stdout.splitlines():
        database, table, size = line.split("\t")
        name = f"{_quoted(database)}.{_quoted(table)}"
        sql = f"SELECT COUNT(*) FROM {name};"  # noqa: S608 - quoted
        if int(size) <= CHECKSUM_BYTES:
            sql += f"CHECKSUM TABLE {name} EXTENDED;"
        answers = run(_client(socket), data=sql).stdout.splitlines()
        checksum = answers[1].split("\t")[1] if len(answers) > 1 else None
        found.setdefault(database, {})[table] = [int(answers[0]), checksum]
    return found


def _client(socket: Path) -> list[str]:
    return ["mariadb", "--no-defaults", "--user=root", f"--socket={socket}", "--batch", "--skip-column-names"]


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _size(directory: Path) -> int:
    return sum(Path(place, name).lstat().st_size for place, _, names in os.walk(directory) for name in names)
