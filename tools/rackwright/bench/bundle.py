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
from multiprocessing import get_context
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
# Of a smaller bundle, whose memory is compared: it must not grow with the contents.
SMALL_MB = 32
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
        served = _make(root / "served", SIZE_MB)
        peaks: list[float] = []
        with _server(root / "served") as address:
            for number in range(rounds):
                step.say(f"round {number + 1} of {rounds}")
                plain.append(_plain(served, address, root / f"plain-{number}"))
                seconds, peak = _alone(served, address, root / f"ours-{number}")
                ours.append(seconds)
                peaks.append(peak)
        step.say(f"{SMALL_MB} MB, for the memory")
        small = _make(root / "small", SMALL_MB)
        with _server(root / "small") as address:
            _, low = _alone(small, address, root / "ours-small")
    note = (
        f"bundle: {FILES} contents of {SIZE_MB} MB fetched and read again: {SIZE_MB / min(ours):.0f} MB/s, "
        f"{max(peaks):.0f} MB of memory in all; with {SMALL_MB} MB of contents {low:.0f} MB"
    )
    timed = Series(tuple(ours)), Series(tuple(plain))
    return [Speedup("bundle", "curl and sha256sum", AIM, *timed, (note,))]


def _make(directory: Path, size_mb: int) -> dict[str, int]:
    """Write contents of several sizes; return their names, which are their checksums."""
    directory.mkdir()
    found: dict[str, int] = {}
    for number in range(FILES):
        size = size_mb * (1 << 20) * 2 * (number + 1) // (FILES * (FILES + 1))
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


def _alone(served: dict[str, int], address: str, target: Path) -> tuple[float, float]:
    """Run our side in a process of its own; return its seconds, and the most memory that it had in MB."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (served, address, target))


def _measured(served: dict[str, int], address: str, target: Path) -> tuple[float, float]:
    seconds = _ours(served, address, target)
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


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
