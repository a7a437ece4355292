"""`rackwright bench bundle`: contents fetched into a bundle and verified, against a plain script's way."""

from __future__ import annotations

import hashlib
import os
import resource
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from rackwright.bench.backup import Speedup
from rackwright.bench.measure import Series
from rackwright.bundle import manifest as manifests
from rackwright.bundle.fetch import Job, client, fetch_all
from rackwright.bundle.manifest import Entry
from rackwright.bundle.store import Store
from rackwright.bundle.verify import contents
from rackwright.lab.progress import Board

ROUNDS = 2
FILES, SIZE_MB = 200, 256
# A loopback makes a script that fetches one file after the other look better than a network does.
AIM = 1.0


def bench_bundle(rounds: int, board: Board) -> list[Speedup]:
    """Time both sides, round by round.

    Args:
        rounds: How often.
        board: Where progress is shown.

    Returns:
        Fetching and checking as one figure, with the throughput and the memory in its notes.
    """
    ours: list[float] = []
    plain: list[float] = []
    with tempfile.TemporaryDirectory(prefix="rackwright-bench-") as name, board.step("bundle") as step:
        root = Path(name)
        served = _make(root / "served")
        with _server(root / "served") as address:
            for number in range(rounds):
                step.say(f"round {number + 1} of {rounds}")
                plain.append(_plain(served, address, root / f"plain-{number}"))
                ours.append(_ours(served, address, root / f"ours-{number}"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    note = (
        f"bundle: {FILES} contents of {SIZE_MB} MB fetched and read again: {SIZE_MB / min(ours):.0f} MB/s, "
        f"{peak:.0f} MB of memory in all"
    )
    timed = Series(tuple(ours)), Series(tuple(plain))
    return [Speedup("bundle", "curl and sha256sum", AIM, *timed, (note,))]


def _make(directory: Path) -> dict[str, int]:
    """Write contents of several sizes; return their names, which are their checksums."""
    directory.mkdir()
    found: dict[str, int] = {}
    for number in range(FILES):
        size = SIZE_MB * (1 << 20) * 2 * (number + 1) // (FILES * (FILES + 1))
        content = os.urandom(size)
        sha256 = hashlib.sha256(content).hexdigest()
        (directory / sha256).write_bytes(content)
        found[sha256] = size
    return found


class _Quiet(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _server(directory: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(directory))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def _ours(served: dict[str, int], address: str, target: Path) -> float:
    started = time.monotonic()
    jobs = [Job(sha256, size, f"{address}/{sha256}", sha256) for sha256, size in served.items()]
    with client() as web:
        fetch_all(jobs, Store(target), web, lambda _job, _size: None)
    entries = [Entry(f"files/{sha256}", sha256, size, "file") for sha256, size in served.items()]
    made = manifests.make("bench", [], entries)
    damaged = list(contents(target, made, lambda _size: None, remembered=False))
    if damaged:
        raise AssertionError(f"{damaged[0]}: what was just fetched is not whole")
    return time.monotonic() - started


def _plain(served: dict[str, int], address: str, target: Path) -> float:
    target.mkdir()
    sums = "".join(f"{sha256}  {sha256}\n" for sha256 in served)
    script = (
        f'while read -r sum name; do curl -sf -O "{address}/$name"; done < sums && sha256sum --quiet -c sums'
    )
    (target / "sums").write_text(sums, encoding="ascii")
    started = time.monotonic()
    subprocess.run(["bash", "-euc", script], cwd=target, check=True)
    return time.monotonic() - started
