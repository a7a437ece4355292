"""Everything but PostgreSQL in the repository: restic, fed by the hosts' streams."""

from __future__ import annotations

import json
import math
import re
import subprocess
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from rackwright.backup.agent.retention import Snapshot, superseded
from rackwright.backup.agent.sender import Sender, explained
from rackwright.backup.agent.settings import Repository, Store
from rackwright.backup.agent.shell import CHUNK, Failed, last_words

PASSWORD = Path("/etc/rackwright/backup/restic.password")


def _base(repository: Repository) -> list[str]:
    return [
        "restic",
        "--repo",
        str(repository.path / "restic"),
        "--password-file",
        str(PASSWORD),
        "--cache-dir",
        str(repository.path / "cache"),
    ]


def restic(repository: Repository, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run restic; return what it said.

    Raises:
        Failed: It did not succeed, in words.
    """
    done = subprocess.run(
        [*_base(repository), *words], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    if check and done.returncode:
        raise Failed(*_explained(done.stderr or done.stdout))
    return done


def alone(repository: Repository, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run what needs the repository for itself; arguments, answer and errors as of `restic`.

    A backup that was cut off (its sender failed, its host went down) has left its lock. Those whose process
    has died are let go of first; one that is at work stays.
    """
    restic(repository, "unlock", "--quiet", check=False)
    return restic(repository, *words, check=check)


def _explained(text: str) -> tuple[str, str]:
    if "wrong password" in text or "no key found" in text:
        return (
            "the repository of files does not open with the password of this site's vault",
            "take the vault of that time: vault_backup_restic_password must be what it was",
        )
    return f"restic: {last_words(text, 3)}", ""


def make(repository: Repository) -> bool:
    """Make the repository where there is none; return whether it was made."""
    if (repository.path / "restic/config").exists():
        restic(repository, "cat", "config")
        return False
    restic(repository, "init")
    return True


def filename(store: str) -> str:
    """Return the name of a store's stream."""
    return store.replace("/", "_") + ".tar"


def keep(
    repository: Repository, store: str, source: Sender | IO[bytes], *, point: str = ""
) -> tuple[str, int]:
    """Keep what another host, or a file, sends.

    Returns:
        The snapshot's id, and the bytes of the stream.

    Raises:
        Failed: Either side did not end well. Nothing is kept then: restic learns of the stream's end only
            when the sender ended well.
    """
    host = store.partition("/")[0]
    words = ["backup", "--json", "--quiet", "--stdin", "--stdin-filename", filename(store), "--host", host]
    words += ["--tag", f"store={store}", *(["--tag", f"point={point}"] if point else [])]
    keeper = subprocess.Popen(
        [*_base(repository), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    stream = source.stream if isinstance(source, Sender) else source
    assert keeper.stdin is not None  # noqa: S101 - opened above
    size = 0
    try:
        while chunk := stream.read(CHUNK):
            keeper.stdin.write(chunk)
            size += len(chunk)
    except BrokenPipeError:
        # Why restic ended is what it says.
        if isinstance(source, Sender):
            source.stop()
    else:
        if isinstance(source, Sender):
            try:
                source.finish()
            except Failed:
                keeper.kill()
                keeper.communicate()
                raise
    out, wrong = keeper.communicate()
    if keeper.returncode:
        raise Failed(*_explained(wrong.decode(errors="replace")))
    summary = next(
        entry
        for line in out.decode().splitlines()
        if (entry := json.loads(line)).get("message_type") == "summary"
    )
    return str(summary["snapshot_id"])[:8], size


def feed(repository: Repository, snapshot: str, store: str, command: Sequence[str]) -> dict[str, Any]:
    """Send a snapshot to a command; return what that answers.

    Raises:
        Failed: The snapshot cannot be read, or the receiver refuses it.
    """
    giver = subprocess.Popen(
        [*_base(repository), "dump", snapshot, f"/{filename(store)}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    taker = subprocess.Popen(command, stdin=giver.stdout, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert giver.stdout is not None  # noqa: S101
    assert giver.stderr is not None  # noqa: S101
    giver.stdout.close()
    out, wrong = taker.communicate()
    said = giver.stderr.read().decode(errors="replace")
    if giver.wait() and "broken pipe" not in said:
        raise Failed(
            f"snapshot {snapshot} cannot be read: {last_words(said, 2)}", "take the snapshot before it"
        )
    if taker.returncode:
        raise Failed(*explained(store, wrong.decode(errors="replace")))
    return dict(json.loads(out))


def snapshots(repository: Repository) -> list[Snapshot]:
    """Return all snapshots, oldest first."""
    found = []
    for entry in json.loads(restic(repository, "snapshots", "--json").stdout) or []:
        tags = dict(tag.partition("=")[::2] for tag in entry.get("tags") or ())
        size = int((entry.get("summary") or {}).get("total_bytes_processed", 0))
        found.append(
            Snapshot(
                entry["short_id"], tags.get("store", ""), _moment(entry["time"]), size, tags.get("point", "")
            )
        )
    return sorted(found, key=lambda entry: entry.time)


def _moment(stamp: str) -> float:
    """Return a time of restic's in whole seconds since 1970, rounded up: people are told it and say it."""
    found = re.fullmatch(r"(.{19})(\.\d+)?(Z|[+-]\d\d:\d\d)", stamp)
    assert found is not None, stamp  # noqa: S101 - RFC 3339, with more digits than Python reads
    second, fraction, zone = found.groups()
    whole = datetime.fromisoformat(second + zone.replace("Z", "+00:00")).timestamp()
    return whole + math.ceil(float(fraction or 0))


def newest(repository: Repository, store: Store | str, until: float | None = None) -> Snapshot:
    """Return the newest snapshot of a store, or the newest up to a time.

    Raises:
        Failed: There is none.
    """
    name = store if isinstance(store, str) else store.name
    of_store = [entry for entry in snapshots(repository) if entry.store == name]
    fitting = [entry for entry in of_store if until is None or entry.time <= until]
    if not fitting:
        first = (
            datetime.fromtimestamp(of_store[0].time).astimezone().isoformat(timespec="seconds")
            if of_store
            else ""
        )
        raise Failed(
            f"there is no backup of {name}" + (" up to that time" if first else ""),
            f"the first is of {first}" if first else "rackwright backup makes one",
        )
    return fitting[-1]


def forget(repository: Repository) -> None:
    """Let go of what the site keeps no longer."""
    often = {store.name: store.every_minutes for store in repository.stores if store.every_minutes}
    gone = superseded(snapshots(repository), repository.retention_days, often)
    if gone:
        alone(repository, "forget", "--quiet", *gone)


def prune(repository: Repository) -> None:
    """Remove the packs that nothing needs any more."""
    alone(repository, "prune", "--quiet")
