"""Backups: of single stores, and of all of them at one point."""

from __future__ import annotations

import fcntl
import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from rackwright.backup.agent import restic, wal
from rackwright.backup.agent.jobs import HOUR, recorded
from rackwright.backup.agent.sender import Sender
from rackwright.backup.agent.settings import Repository, Store
from rackwright.backup.agent.shell import Failed, last_words, run, write

LOCK_SECONDS = 6 * HOUR
POINT_DUE_SECONDS = 8 * 24 * HOUR
# A little less than writers wait at most (`store_main.LONGEST_PAUSE`), so that the reason is told.
HELD_SECONDS = 290
# Nobody waits for a backup of a single store.
HELD_AT_LEISURE_SECONDS = 24 * HOUR


@contextmanager
def locked(repository: Repository, seconds: float) -> Iterator[None]:
    """Hold the one lock of this host; wait so many seconds for it.

    Raises:
        Failed: Another job still has it.
    """
    with (repository.path / "lock").open("w") as file:
        ends = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > ends:
                    raise Failed("another backup or verification is running on this host") from error
                time.sleep(1)
        yield


def backup(repository: Repository, stores: Sequence[Store], kind: str) -> list[dict[str, Any]]:
    """Back stores up one after another; one that fails does not keep the next from being tried.

    Args:
        repository: The settings.
        stores: Which.
        kind: full, diff, incr, or auto, for clusters of PostgreSQL.

    Returns:
        For each store what was kept, or why not (`failed`).
    """
    done = []
    for store in stores:
        try:
            with recorded(f"backup {store.name}", store.due_seconds) as job:
                one = _cluster(repository, store, kind) if store.by_pgbackrest else _stream(repository, store)
                job.size_bytes, job.detail = one["size"], f"{one['kind']} {one['id']}"
        except Failed as error:
            one = {"failed": error.message, "hint": error.hint}
        done.append({"store": store.name, **one})
    if any(not store.by_pgbackrest for store in stores):
        restic.forget(repository)
    return done


def _stream(repository: Repository, store: Store) -> dict[str, Any]:
    sender = Sender(store.name, store.ask("send", store.service))
    try:
        # restic says when it began: that is the time of the snapshot, and nothing in it may be newer.
        if not sender.await_held(HELD_AT_LEISURE_SECONDS):
            raise Failed(f"{store.name} was not held within {HELD_AT_LEISURE_SECONDS // HOUR} hours")
        name, size = restic.keep(repository, store.name, sender)
    finally:
        sender.stop()
    return {"id": name, "kind": "snapshot", "size": size}


def _cluster(repository: Repository, store: Store, kind: str) -> dict[str, Any]:
    wanted = wal.kind_due(store, time.time()) if kind == "auto" else kind
    wal.pgbackrest(store, f"--type={wanted}", "backup")
    made = wal.backups(store)[-1]
    mark = f"mark-{made.label.lower().replace('_', '-')}"
    with Hold(store, mark) as hold:
        hold.release()
    wal.await_segment(store, hold.where["wal"])
    # Log that its host gave up before this backup is not needed any more.
    run(store.ask("based", store.service, made.wal[0]), timeout=60)
    directory = repository.marks / store.stanza
    write(directory / f"{mark}.json", json.dumps({**hold.where, **hold.found, "label": made.label}), 0o600)
    known = {entry.label for entry in wal.backups(store)}
    for path in directory.glob("mark-*.json"):
        if json.loads(path.read_text(encoding="utf-8"))["label"] not in known:
            path.unlink()
    return {"id": made.label, "kind": made.kind, "size": made.size, "kept": made.kept}


class Hold:
    """Writers of a cluster that wait; they go on when the block ends, or this host is lost."""

    def __init__(self, store: Store, point: str) -> None:
        self._store = store
        self._program = subprocess.Popen(
            store.ask("hold", point),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.found: dict[str, Any] = {}
        self.where: dict[str, Any] = self._line()

    def _line(self) -> dict[str, Any]:
        assert self._program.stdout is not None  # noqa: S101 - opened above
        line = self._program.stdout.readline()
        if not line:
            assert self._program.stderr is not None  # noqa: S101
            said = self._program.stderr.read()
            answer = [json.loads(text) for text in said.splitlines() if text.startswith("{")]
            why = answer[-1]["failed"] if answer else last_words(said, 2)
            raise Failed(f"{self._store.name} cannot be held at a point: {why}")
        return dict(json.loads(line))

    def release(self) -> None:
        """Let writers go on, and learn what the cluster held."""
        assert self._program.stdin is not None  # noqa: S101
        self._program.stdin.write("\n")
        self._program.stdin.flush()
        self.found = self._line()
        if self._program.wait(timeout=600):
            raise Failed(f"{self._store.name}: the log's segment could not be closed")

    def __enter__(self) -> Hold:  # noqa: D105
        return self

    def __exit__(self, *_: object) -> None:  # noqa: D105
        if self._program.poll() is None:
            self._program.kill()
            self._program.wait()


def point(repository: Repository, name: str) -> dict[str, Any]:
    """Make one named point over all stores of the site.

    Writers of all clusters wait; the points are written to their logs; then each other store is held apart
    from what is written on; then writers go on, and the stores travel. What a row refers to was written
    before the row and is deleted after it, so it is in what was held.

    Raises:
        Failed: The name is taken, or a store could not be had. There is no point then.
    """
    path = repository.points / f"{name}.json"
    if path.exists():
        raise Failed(
            f"there is a point {name} already", "choose another name; rackwright backup list has all"
        )
    with recorded("point site", POINT_DUE_SECONDS) as job:
        clusters = [store for store in repository.stores if store.by_pgbackrest]
        others = [store for store in repository.stores if not store.by_pgbackrest]
        for store in clusters:
            if not wal.backups(store):
                raise Failed(
                    f"there is no backup of {store.name} yet that a point could follow", "rackwright backup"
                )
        held: dict[str, dict[str, Any]] = {}
        with ExitStack() as stack:
            holds = [(store, stack.enter_context(Hold(store, name))) for store in clusters]
            senders = []
            for store in others:
                senders.append((store, Sender(store.name, store.ask("send", store.service))))
                stack.callback(senders[-1][1].stop)
            ends = time.monotonic() + HELD_SECONDS
            late = [store.name for store, sender in senders if not sender.await_held(ends - time.monotonic())]
            for store, hold in holds:
                hold.release()
                held[store.name] = {**hold.where, **hold.found}
            if late:
                raise Failed(
                    f"not held within {HELD_SECONDS} s: {', '.join(late)}",
                    "make points when their hosts do less",
                )
            for store, sender in senders:
                made, size = restic.keep(repository, store.name, sender, point=name)
                held[store.name] = {"snapshot": made, "size": size}
        for store, hold in holds:
            wal.await_segment(store, hold.where["wal"])
        paused = max((hold.found["pause_seconds"] for _, hold in holds), default=0.0)
        told = {"name": name, "time": time.time(), "pause_seconds": paused, "stores": held}
        write(path, json.dumps(told), 0o600)
        job.detail = f"{name}: {len(held)} stores, writers waited {paused:.1f} s"
        job.size_bytes = sum(int(entry.get("size", 0)) for entry in held.values())
    return told
