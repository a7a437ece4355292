"""Downloads: several at a time, on from where they were cut, no faster than is wanted; flat memory."""

from __future__ import annotations

import hashlib
import tracemalloc
from pathlib import Path

import httpx
import pytest

from rackwright.bundle.fetch import Job, Throttle, fetch_all, missing
from rackwright.bundle.store import Store
from rackwright.errors import RackwrightError


class Server:
    """Serves contents with ranges; breaks the connection once after `breaks` bytes of each."""

    def __init__(self, contents: list[bytes], breaks: int = 0) -> None:
        self.contents = {f"/{number}": content for number, content in enumerate(contents)}
        self.breaks = dict.fromkeys(self.contents, breaks)
        self.sent = 0

    def jobs(self) -> list[Job]:
        return [
            Job(hashlib.sha256(content).hexdigest(), len(content), f"http://server{path}", path)
            for path, content in self.contents.items()
        ]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        content = self.contents[request.url.path]
        given = request.headers.get("Range", "bytes=0-").removeprefix("bytes=")
        start = int(given.rstrip("-"))
        body = content[start:]
        cut = self.breaks.pop(request.url.path, 0)
        if cut:
            body = body[:cut]
        self.sent += len(body)
        return httpx.Response(206 if start else 200, content=body)


def run(server: Server, store: Store, parallel: int = 4) -> int:
    with httpx.Client(transport=httpx.MockTransport(server)) as client:
        return fetch_all(server.jobs(), store, client, lambda _job, _size: None, parallel=parallel)


def test_what_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    server, store = Server([b"a" * 1000, b"b" * 2000, b"a" * 1000]), Store(tmp_path)
    assert run(server, store) == 3000
    assert missing(server.jobs(), store) == []
    assert run(server, store) == 0
    assert server.sent == 3000


def test_a_download_that_was_cut_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rackwright.models.store.download.FIRST_PAUSE", 0.0)
    contents = [bytes([number]) * 50_000 for number in range(6)]
    server, store = Server(contents, breaks=20_000), Store(tmp_path)
    run(server, store)
    assert server.sent == 300_000
    assert all(store.has(job.sha256, job.size) for job in server.jobs())


def test_another_run_goes_on_where_one_ended(tmp_path: Path) -> None:
    server, store = Server([b"x" * 10_000]), Store(tmp_path)
    (job,) = server.jobs()
    store.partial(job.sha256).write_bytes(b"x" * 4_000)
    assert run(server, store) == 6_000
    assert server.sent == 6_000


def test_a_content_that_is_not_what_was_promised_does_not_come_in(tmp_path: Path) -> None:
    server, store = Server([b"good" * 100]), Store(tmp_path)
    jobs = server.jobs()
    server.contents["/0"] = b"evil" * 100
    with httpx.Client(transport=httpx.MockTransport(server)) as client, pytest.raises(RackwrightError):
        fetch_all(jobs, store, client, lambda _job, _size: None)
    assert not store.path(jobs[0].sha256).exists()


def test_all_downloads_together_keep_to_the_rate() -> None:
    slept: list[float] = []
    throttle = Throttle(1000, sleep=slept.append)
    for _ in range(10):
        throttle.take(500)
    # Nobody slept really, so each waits for all before it.
    assert slept[-1] == pytest.approx(5.0, abs=0.2)
    Throttle(0, sleep=slept.append).take(10**12)
    assert len(slept) == 10


def test_memory_does_not_grow_with_the_bundle(tmp_path: Path) -> None:
    def peak(size: int, name: str) -> int:
        (tmp_path / name).write_bytes(b"\0" * size)
        store = Store(tmp_path / f"store-{name}")
        tracemalloc.start()
        sha256, _ = store.add_file(tmp_path / name)
        assert store.damage(sha256, size) == ""
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    small, large = peak(4 << 20, "small"), peak(64 << 20, "large")
    assert large < small + (1 << 20)
