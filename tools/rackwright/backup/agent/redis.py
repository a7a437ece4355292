"""Redis: a snapshot that the server writes, and a start from it."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO, Any

from rackwright.backup.agent import archive
from rackwright.backup.agent.files import Held
from rackwright.backup.agent.shell import Failed, run

CLI = "/usr/local/lib/rackwright/redis-cli"
DUMP = "dump.rdb"
SAVE_SECONDS = 1800
START_SECONDS = 300
# On a backup host, which has other things to do.
LOAD_SECONDS = 3600


def send(store: dict[str, Any], out: IO[bytes], held: Held) -> None:
    """Have the server write its snapshot, and send it."""
    before = _cli("lastsave")
    _cli("bgsave", "schedule")
    ends = time.monotonic() + SAVE_SECONDS
    while _cli("lastsave") == before or "rdb_bgsave_in_progress:1" in _cli("info", "persistence"):
        if "rdb_last_bgsave_status:err" in _cli("info", "persistence"):
            raise Failed("Redis could not write its snapshot", "look into its log; is its disk full?")
        if time.monotonic() > ends:
            raise Failed(f"Redis wrote no snapshot within {SAVE_SECONDS} s")
        # lastsave counts whole seconds: a snapshot in the second of the last one looks like none.
        time.sleep(0.2)
        if _cli("lastsave") == before:
            _cli("bgsave", "schedule")
    with tempfile.TemporaryDirectory(dir=store["directory"]) as place:
        # The next snapshot takes the name, not the file.
        kept = Path(place) / DUMP
        kept.hardlink_to(Path(store["directory"]) / DUMP)
        held()
        archive.send(out, [(DUMP, kept)], {"kind": "redis", "keys": keys_in(kept)})


def receive(store: dict[str, Any], source: IO[bytes]) -> dict[str, Any]:
    """Put a snapshot in the place of the data; the old data is kept beside it until the next restore."""
    directory, unit = Path(store["directory"]), store["unit"]
    with tempfile.TemporaryDirectory(dir=directory.parent) as held:
        manifest = archive.receive(source, Path(held))
        _keys_compared(Path(held), manifest)
        run(["systemctl", "stop", unit])
        aside = directory.with_name(f"{directory.name}.before-restore")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(mode=0o700)
        for entry in directory.iterdir():
            entry.rename(aside / entry.name)
        _lay_down(Path(held) / DUMP, directory)
    run(["systemctl", "start", unit])
    ends = time.monotonic() + START_SECONDS
    while run([CLI, "ping"], check=False).stdout.strip() != "PONG":
        if time.monotonic() > ends:
            raise Failed(f"Redis does not answer {START_SECONDS} s after its start")
        time.sleep(0.3)
    held_keys = sum(int(count) for count in re.findall(r"keys=(\d+)", _cli("info", "keyspace")))
    return {"kind": "redis", "keys": held_keys, "keys_in_backup": manifest["keys"], "aside": str(aside)}


def compared(unpacked: Path, manifest: dict[str, Any]) -> int:
    """Have a server that nobody reaches load what was unpacked; return how many keys it has."""
    found = _keys_compared(unpacked, manifest)
    socket, program = unpacked / "redis.sock", unpacked / "redis-server"
    # Debian's tools hold the whole server, which looks at the name that it is called by.
    program.symlink_to("/usr/bin/redis-check-rdb")
    words = ["--port", "0", "--unixsocket", str(socket), "--dir", str(unpacked)]
    words += ["--save", "", "--appendonly", "no"]
    server = subprocess.Popen([str(program), *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        ends = time.monotonic() + LOAD_SECONDS
        while run(["redis-cli", "-s", str(socket), "ping"], check=False).stdout.strip() != "PONG":
            if server.poll() is not None or time.monotonic() > ends:
                raise Failed("Redis does not start from the snapshot")
            time.sleep(0.1)
    finally:
        server.terminate()
        server.wait(timeout=30)
    return found


def _keys_compared(unpacked: Path, manifest: dict[str, Any]) -> int:
    found, wanted = keys_in(unpacked / DUMP), int(manifest["keys"])
    if found != wanted:
        raise Failed(f"the snapshot has {found} keys, its manifest says {wanted}")
    return found


def keys_in(dump: Path) -> int:
    """Return how many keys a snapshot has; reads and checks the whole file.

    Raises:
        Failed: It is damaged.
    """
    done = run(["redis-check-rdb", str(dump)], check=False)
    found = re.search(r"\[info\] (\d+) keys read", done.stdout)
    if done.returncode or found is None:
        raise Failed(f"the snapshot is damaged: {done.stdout.strip().splitlines()[-1:]}")
    return int(found.group(1))


def _lay_down(dump: Path, directory: Path) -> None:
    """Make a snapshot the base of the append-only file: a server with one reads no snapshot beside it."""
    entry = directory.stat()
    log = directory / "appendonlydir"
    log.mkdir(mode=0o750)
    shutil.copyfile(dump, log / "appendonly.aof.1.base.rdb")
    (log / "appendonly.aof.1.incr.aof").touch()
    (log / "appendonly.aof.manifest").write_text(
        "file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n",
        encoding="utf-8",
    )
    shutil.copyfile(dump, directory / DUMP)
    for path in [log, *log.iterdir(), directory / DUMP]:
        shutil.chown(path, entry.st_uid, entry.st_gid)
        path.chmod(0o750 if path.is_dir() else 0o640)


def _cli(*words: str) -> str:
    return run([CLI, *words]).stdout.strip()
