"""Verification: every file of the repositories is read; the newest backups are restored and thrown away."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

from rackwright.backup.agent import contents, lineage, restic, wal
from rackwright.backup.agent.jobs import HOUR, recorded
from rackwright.backup.agent.kinds import KINDS
from rackwright.backup.agent.plan import marks
from rackwright.backup.agent.sessions import Session
from rackwright.backup.agent.settings import Repository, Store
from rackwright.backup.agent.shell import Failed, last_words, run, write

DUE_SECONDS = 8 * 24 * HOUR
START_SECONDS = 3600
# pgBackRest's log names what its report only counts: INFO: invalid checksum '<path>'
_DAMAGED = re.compile(r"INFO: (?:invalid checksum|invalid size|file missing|missing|other)[^']*'([^']+)'")


def verify(repository: Repository, stores: tuple[Store, ...]) -> list[dict[str, Any]]:
    """Verify stores; return what was found of each."""
    # All stores but clusters share their packs, which are read once.
    damage = cache(lambda: _damage(repository))
    found = []
    for store in stores:
        try:
            with recorded(f"verify {store.name}", DUE_SECONDS) as job:
                detail = (
                    _cluster(repository, store)
                    if store.by_pgbackrest
                    else _stream(repository, store, damage())
                )
                job.detail = detail
            found.append({"store": store.name, "ok": True, "detail": detail, "hint": ""})
        except Failed as error:
            found.append({"store": store.name, "ok": False, "detail": error.message, "hint": error.hint})
    return found


def _cluster(repository: Repository, store: Store) -> str:
    held = wal.backups(store)
    if not held:
        raise Failed(f"there is no backup of {store.name}", "rackwright backup makes one")
    damaged = damaged_files(store)
    if damaged:
        raise Failed(f"damaged in the repository: {', '.join(damaged[:5])}", _offer(store, held, damaged))
    found = marks(repository, store)
    if not found:
        raise Failed(f"no backup of {store.name} has a mark to compare with", "rackwright backup makes one")
    mark = found[-1]
    seconds, different = restored(repository, store, mark)
    if different:
        raise Failed(f"the restored cluster is not what it was: {'; '.join(different[:3])}")
    rows = contents.rows_of(mark["contents"])
    return f"{mark['label']}: all files read; restored in {seconds:.0f} s; {rows} rows are what they were"


def damaged_files(store: Store) -> list[str]:
    """Read every file of a cluster's backups and log; return those that are not what they were."""
    done = run(
        ["pgbackrest", f"--stanza={store.stanza}", "--output=text", "--log-level-console=info", "verify"],
        check=False,
    )
    text = done.stdout + done.stderr
    # Where all is well it says nothing else.
    if "status: error" not in text and "completed successfully" in text and not done.returncode:
        return []
    wal.info(store)  # a key that does not fit is another finding
    found = list(dict.fromkeys(_DAMAGED.findall(text)))
    if not found:
        raise Failed(f"pgBackRest cannot verify: {last_words(text, 3)}")
    return found


def _offer(store: Store, held: list[wal.Backup], damaged: list[str]) -> str:
    """Name the newest backup that needs none of the damaged files."""
    for backup in reversed(held):
        chain = {backup.label, *backup.needs}
        first, last = map(lineage.number, backup.wal)
        if not any(_touches(path, chain, first, last) for path in damaged):
            return (
                f"the newest backup without damage is {backup.label}:"
                f" rackwright restore {store.name} --backup {backup.label};"
                " make a new one: rackwright backup --type full"
            )
    return "no backup is without damage: make a new one now: rackwright backup --type full"


def _touches(path: str, chain: set[str], first: int, last: int) -> bool:
    segment = re.search(r"/([0-9A-F]{24})-[0-9a-f]{40}", path)
    if segment:
        return first <= lineage.number(segment.group(1)) <= last
    return any(path.startswith(f"{label}/") for label in chain)


def restored(repository: Repository, store: Store, mark: dict[str, Any]) -> tuple[float, list[str]]:
    """Restore a cluster here, compare it with what it held, and throw it away.

    Returns:
        Seconds until it answered, and the differences.
    """
    with tempfile.TemporaryDirectory(dir=repository.path / "scratch", prefix="cluster-") as held:
        room = shutil.disk_usage(held).free
        size = wal.backups(store)[-1].size
        if size * 1.2 > room:
            raise Failed(
                f"a restore takes {size >> 20} MB here, {room >> 20} MB are free", "give the backup host room"
            )
        data, sockets = Path(held) / "data", Path(held) / "run"
        data.mkdir(mode=0o700)
        sockets.mkdir(mode=0o700)
        started = time.monotonic()
        words = [
            "--config=/etc/rackwright/backup/verify.conf",
            f"--pg1-path={data}",
            f"--set={mark['label']}",
        ]
        target = [
            f"--target={mark['point']}",
            f"--target-timeline={mark['timeline']}",
            "--target-action=promote",
        ]
        wal.pgbackrest(store, *words, "--type=name", *target, "--archive-mode=off", "restore")
        server = _started(store, data, sockets)
        try:
            seconds = time.monotonic() - started
            found: contents.Contents = {}
            options = ["-h", str(sockets), "-U", "postgres"]
            with Session("postgres", options, user=None) as session:
                names = contents.databases(session)
            for name in names:
                with Session(name, options, user=None) as session:
                    found[name] = contents.count(session)
        finally:
            server.terminate()
            try:
                server.wait(timeout=60)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
    return seconds, contents.differences(mark["contents"], found)


def _started(store: Store, data: Path, sockets: Path) -> subprocess.Popen[bytes]:
    """Start a server that nobody else reaches on a restored directory, and wait until it takes writes."""
    hba, conf, log = sockets / "pg_hba.conf", sockets / "postgresql.conf", sockets / "log"
    write(hba, "local all all trust\n", 0o600)
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(sockets),
        "hba_file": str(hba),
        "hot_standby": "off",
        "fsync": "off",
        "shared_buffers": "64MB",
        "autovacuum": "off",
        "max_connections": "20",
    }
    write(conf, "".join(f"{name} = '{value}'\n" for name, value in settings.items()), 0o600)
    program = f"/usr/lib/postgresql/{store.version}/bin/postgres"
    with log.open("w") as file:
        server = subprocess.Popen(
            [program, "-D", str(data), "-c", f"config_file={conf}"], stdout=file, stderr=file
        )
    ask = [
        "psql",
        "-XAtqc",
        "SELECT pg_is_in_recovery()",
        "-h",
        str(sockets),
        "-U",
        "postgres",
        "-d",
        "postgres",
    ]
    ends = time.monotonic() + START_SECONDS
    while run(ask, check=False).stdout.strip() != "f":
        if server.poll() is not None or time.monotonic() > ends:
            server.kill()
            raise Failed(
                f"the restored cluster does not start: {last_words(log.read_text(errors='replace'), 3)}"
            )
        time.sleep(0.3)
    return server


def _damage(repository: Repository) -> str:
    """Read all packs of the repository of files; return what is wrong with them, nothing when all is well.

    Raises:
        Failed: They cannot be read: the key is another, or somebody is at work there.
    """
    done = restic.alone(repository, "check", "--read-data", check=False)
    if not done.returncode:
        return ""
    restic.restic(repository, "cat", "config")
    text = done.stdout + done.stderr
    if "already locked" in text:
        raise Failed("the repository of files is in use", "rackwright backup verify, when that is done")
    words = [line for line in text.splitlines() if re.search(r"\b[0-9a-f]{8,64}\b|error", line)]
    return f"damaged in the repository of files: {' | '.join(words[:3])}"


def _stream(repository: Repository, store: Store, damage: str) -> str:
    if damage:
        raise Failed(damage, _offer_snapshot(repository, store))
    snapshot = restic.newest(repository, store)
    return f"{snapshot.id}: all packs read; {_proved(repository, store, snapshot.id)}"


def _proved(repository: Repository, store: Store, snapshot: str) -> str:
    """Unpack a snapshot here, and compare it with its manifest."""
    stream = KINDS[store.kind].stream
    assert stream is not None  # noqa: S101 - clusters have backups, not snapshots
    with tempfile.TemporaryDirectory(dir=repository.path / "scratch", prefix="store-") as held:
        manifest = restic.feed(repository, snapshot, store.name, ["/usr/local/sbin/rackwright-unpack", held])
        return f"{stream.compared(Path(held), manifest)} {stream.counted} are what they were"


def _offer_snapshot(repository: Repository, store: Store) -> str:
    """Name the newest snapshot that still unpacks."""
    for snapshot in reversed(restic.snapshots(repository)):
        if snapshot.store != store.name:
            continue
        try:
            _proved(repository, store, snapshot.id)
        except Failed:
            continue
        return f"the newest snapshot without damage is {snapshot.id}; rackwright backup makes a new one"
    return "no snapshot is without damage: make a new one now: rackwright backup"


def unpack() -> None:
    """`rackwright-unpack DIRECTORY`: unpack a stream from standard input, and print its manifest."""
    import sys  # noqa: PLC0415 - the entry point's own

    from rackwright.backup.agent import archive  # noqa: PLC0415

    try:
        print(json.dumps(archive.receive(sys.stdin.buffer, Path(sys.argv[1]))))  # noqa: T201
    except Failed as error:
        print(json.dumps({"failed": error.message, "hint": error.hint}), file=sys.stderr)  # noqa: T201
        sys.exit(3)
