"""Brings contents into a bundle: several at a time, on from where a run was cut, no faster than is wanted."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from rackwright.bundle.store import Store
from rackwright.models.store.download import Downloader
from rackwright.models.store.files import Checksum, RemoteFile

PARALLEL = 8
_SECONDS = 60.0


@dataclass(frozen=True)
class Job:
    """One content that is wanted.

    Attributes:
        sha256: Of it.
        size: In bytes.
        address: URL, or path of a local file.
        label: What it is, for people.
        headers: To be sent when it is fetched.
    """

    sha256: str
    size: int
    address: str
    label: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)


Report = Callable[[Job, int], None]


class Throttle:
    """Holds all downloads together to a number of bytes a second."""

    def __init__(self, bytes_per_second: float, sleep: Callable[[float], None] = time.sleep) -> None:
        self.rate = bytes_per_second
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free_at = time.monotonic()

    def take(self, size: int) -> None:
        """Wait until these bytes may have come."""
        if not self.rate:
            return
        with self._lock:
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + size / self.rate
            pause = self._free_at - now
        self._sleep(pause)


@contextmanager
def client() -> Iterator[httpx.Client]:
    """Yield a client that trusts whom this machine trusts."""
    with httpx.Client(follow_redirects=True, timeout=_SECONDS, verify=ssl.create_default_context()) as found:
        yield found


def missing(jobs: Sequence[Job], store: Store) -> list[Job]:
    """Return the jobs whose content is not there, each content once."""
    wanted = {job.sha256: job for job in jobs if not store.has(job.sha256, job.size)}
    return list(wanted.values())


def fetch_all(
    jobs: Sequence[Job],
    store: Store,
    web: httpx.Client,
    report: Report,
    *,
    parallel: int = PARALLEL,
    rate: float = 0,
) -> int:
    """Bring what is missing; returns the bytes that came.

    Args:
        jobs: What is wanted.
        store: Where it goes.
        web: What fetches.
        report: Called with a job and the bytes of it that came since the last call.
        parallel: Downloads at a time.
        rate: Bytes a second of all together; 0 for no limit.

    Raises:
        RackwrightError: One cannot be had; what the others brought stays, and the next run goes on.
    """
    throttle = Throttle(rate)
    todo = missing(jobs, store)
    pool = ThreadPoolExecutor(max_workers=parallel, thread_name_prefix="fetch")
    try:
        futures = [pool.submit(_fetch, job, store, web, throttle, report) for job in todo]
        return sum(future.result() for future in as_completed(futures))
    finally:
        # After a failure those that have not begun do not begin.
        pool.shutdown(cancel_futures=True)


def _fetch(job: Job, store: Store, web: httpx.Client, throttle: Throttle, report: Report) -> int:
    came = 0
    partial = store.partial(job.sha256)
    before = partial.stat().st_size if partial.is_file() else 0

    def progress(_path: str, done: int, _size: int) -> None:
        nonlocal came, before
        new, before = max(done - before, 0), done
        came += new
        throttle.take(new)
        report(job, new)

    if before:
        report(job, before)
    remote = RemoteFile(job.label, job.size, Checksum("sha256", job.sha256), job.address, dict(job.headers))
    Downloader(web, progress).fetch(remote, partial)
    store.take(partial, job.sha256)
    return came
