"""model_store: models' files on a host arrive whole and right, go on after a cut, and are there once."""

from __future__ import annotations

import http.server
import json
import multiprocessing
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias

import pytest

Result: TypeAlias = dict[str, Any]
# What JSON can say.
Value: TypeAlias = Any
RunModule: TypeAlias = Callable[..., Result]
CONTENT = bytes(range(256)) * 4096


def entry(path: str, content: bytes, source: str = "/none") -> Result:
    digest = sha256(content).hexdigest()
    return {"path": path, "size": len(content), "sha256": digest, "source": source}


def build(*files: Result, model: str = "small", quantisation: str = "q4") -> Result:
    return {
        "model": model,
        "quantisation": quantisation,
        "source": "import",
        "name": "small.gguf",
        "revision": "",
        "licence": "MIT",
        "licence_of_source": "",
        "files": list(files),
    }


class Host:
    """Runs the module, and stands for the connection: what it waits for is sent."""

    def __init__(self, root: Path, run_module: RunModule) -> None:
        self.root = root / "model-store"
        self._run = run_module

    def call(self, *builds: Result, check: bool = False, **more: Value) -> Result:
        arguments = {"root": str(self.root), "builds": list(builds), "reserve_mb": 0, "wait_seconds": 0}
        return self._run("model_store", {**arguments, **more}, check=check)

    def send(self, *builds: Result, **more: Value) -> Result:
        """A whole run: what the host lacks is sent from the sources."""
        first = self.call(*builds, **more)
        waiting = first.get("waiting")
        if not waiting:
            return first
        files = {each["sha256"]: each for one in builds for each in one["files"]}
        for digest, there in waiting.items():
            self.append(digest, Path(files[digest]["source"]).read_bytes()[there:])
        return self.call(*builds, arrived=sorted(waiting), **more)

    def append(self, digest: str, data: bytes) -> None:
        path = self.root / "partial" / digest
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as writer:
            writer.write(data)

    def tree(self, path: str, model: str = "small", quantisation: str = "q4") -> Path:
        return self.root / "trees" / model / quantisation / path


@pytest.fixture
def host(tmp_path: Path, run_module: RunModule) -> Host:
    return Host(tmp_path, run_module)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "small.gguf"
    path.write_bytes(CONTENT)
    return path


def test_a_build_arrives_and_a_second_run_changes_nothing(host: Host, source: Path) -> None:
    one = build(entry("model.gguf", CONTENT, str(source)))
    assert host.send(one)["changed"] is True
    assert host.tree("model.gguf").read_bytes() == CONTENT
    again = host.call(one)
    assert (again["changed"], again["waiting"]) == (False, {})
    (held,) = again["held"]
    assert (held["licence"], held["files"][0].get("source")) == ("MIT", None)


def test_a_cut_goes_on_where_it_was(host: Host, source: Path) -> None:
    one = build(entry("model.gguf", CONTENT, str(source)))
    (digest,) = host.call(one)["waiting"]
    host.append(digest, CONTENT[:1000])
    assert host.call(one)["waiting"] == {digest: 1000}
    host.append(digest, CONTENT[1000:])
    assert host.call(one, arrived=[digest])["changed"] is True
    assert host.tree("model.gguf").read_bytes() == CONTENT


def test_content_that_was_damaged_on_the_way_comes_again(host: Host, source: Path) -> None:
    one = build(entry("model.gguf", CONTENT, str(source)))
    (digest,) = host.call(one)["waiting"]
    host.append(digest, b"\0" * len(CONTENT))
    answer = host.call(one, arrived=[digest])
    assert (answer["refused"], answer["waiting"]) == ([digest], {digest: 0})
    assert not host.tree("model.gguf").exists()
    assert host.send(one)["changed"] is True


def test_damage_is_found_named_and_mended(host: Host, source: Path) -> None:
    one = build(entry("model.gguf", CONTENT, str(source)))
    host.send(one)
    blob = host.root / "blobs" / sha256(CONTENT).hexdigest()
    blob.chmod(0o644)
    blob.write_bytes(b"X" + CONTENT[1:])
    told = host.call(one, verify=True, mend=False)
    assert (told["damaged"], told["changed"]) == (["small q4 model.gguf"], False)
    assert host.tree("model.gguf").read_bytes() != CONTENT
    mended = host.send(one, verify=True)
    assert mended["changed"] is True
    assert host.tree("model.gguf").read_bytes() == CONTENT


def test_damage_that_leaves_no_trace_is_found_by_verify_alone(host: Host, source: Path) -> None:
    """A disk that forgets changes no time; only reading finds that."""
    one = build(entry("model.gguf", CONTENT, str(source)))
    host.send(one)
    digest = sha256(CONTENT).hexdigest()
    blob = host.root / "blobs" / digest
    blob.chmod(0o644)
    blob.write_bytes(b"X" + CONTENT[1:])
    about = blob.stat()
    identity = [about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns]
    (stamp,) = (host.root / "stamps").glob("*.json")
    stamp.write_text(json.dumps({"dest": str(blob), "identity": identity, "sha256": digest}))
    assert host.call(one)["changed"] is False
    assert host.call(one, verify=True, mend=False)["damaged"] == ["small q4 model.gguf"]


def test_a_no_change_run_reads_no_content(host: Host, source: Path) -> None:
    """Were it read, a blob whose content is a pipe's end would hang; a stamp that says otherwise tells it."""
    one = build(entry("model.gguf", CONTENT, str(source)))
    host.send(one)
    (stamp,) = (host.root / "stamps").glob("*.json")
    known = json.loads(stamp.read_text())
    stamp.write_text(json.dumps({**known, "sha256": "0" * 64}))
    assert host.call(one, check=True)["changed"] is True


def test_a_full_disk_is_refused_before_the_start(host: Host, source: Path) -> None:
    one = build({**entry("model.gguf", CONTENT, str(source)), "size": 2**60})
    answer = host.call(one)
    assert answer["failed"]
    assert "are to come" in answer["msg"]
    assert "nothing was fetched" in answer["msg"]
    assert not (host.root / "partial").exists()


def test_what_stays_free_counts(host: Host, source: Path) -> None:
    all_of_it = shutil.disk_usage(host.root.parent).total
    answer = host.call(build(entry("m", CONTENT, str(source))), reserve_mb=all_of_it // 2**20)
    assert answer["failed"]


def test_content_is_there_once(host: Host, source: Path) -> None:
    one = build(entry("model.gguf", CONTENT, str(source)))
    other = build(entry("model.gguf", CONTENT, str(source)), model="twin")
    host.send(one, other)
    assert len(list((host.root / "blobs").iterdir())) == 1
    assert host.tree("model.gguf").samefile(host.tree("model.gguf", model="twin"))
    assert host.call(one, other)["changed"] is False


def test_what_nobody_names_stays_till_it_is_asked_away(host: Host, source: Path) -> None:
    one = build(entry("model.gguf", CONTENT, str(source)))
    text = source.with_name("licence")
    text.write_bytes(b"free")
    other = build(entry("model.gguf", b"free", str(text)), model="other")
    host.send(one)
    host.send(other)
    assert len(host.call(other)["held"]) == 2
    assert host.call(other, prune=True, check=True)["removed"] == ["small q4"]
    assert host.tree("model.gguf").exists()
    assert host.call(other, prune=True)["removed"] == ["small q4"]
    assert not host.tree("model.gguf").exists()
    assert [path.name for path in (host.root / "blobs").iterdir()] == [sha256(b"free").hexdigest()]
    assert host.call(other, prune=True)["changed"] is False


def test_check_mode_writes_nothing(host: Host, source: Path) -> None:
    answer = host.call(build(entry("model.gguf", CONTENT, str(source))), check=True)
    assert answer["changed"] is True
    assert not host.root.exists()


def test_a_second_sender_is_told_who_sends(host: Host, source: Path) -> None:
    one = build(entry("model.gguf", CONTENT, str(source)))
    (digest,) = host.call(one, writer="ops1 1")["waiting"]
    assert host.call(one, writer="ops2 2")["busy"] == "ops1 1"
    assert host.call(one, writer="ops1 1")["waiting"] == {digest: 0}
    for path in (host.root / "partial").iterdir():
        os.utime(path, (1, 1))
    assert host.call(one, writer="ops2 2")["waiting"] == {digest: 0}


class Cutting(http.server.SimpleHTTPRequestHandler):
    """A mirror whose first answers are cut in the middle; with ranges."""

    cuts: list[int]
    asked: list[str]

    def do_GET(self) -> None:
        content = Path(self.translate_path(self.path)).read_bytes()
        start = int((self.headers.get("Range") or "bytes=0-")[6:].rstrip("-"))
        self.asked.append(str(start))
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = start + self.cuts.pop(0) if self.cuts else len(content)
        self.wfile.write(content[start:end])
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[str, type[Cutting]]]:
    handler = type("Handler", (Cutting,), {"cuts": [], "asked": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_mirror_that_cuts_is_asked_for_the_rest(
    host: Host, source: Path, mirror: tuple[str, type[Cutting]]
) -> None:
    url, handler = mirror
    handler.cuts += [300_000, 300_000]
    assert host.call(build(entry("model.gguf", CONTENT, f"{url}/{source.name}")))["changed"] is True
    assert host.tree("model.gguf").read_bytes() == CONTENT
    assert handler.asked == ["0", "300000", "600000"]


def test_a_mirror_with_another_content_is_refused(
    host: Host, source: Path, mirror: tuple[str, type[Cutting]]
) -> None:
    url, _ = mirror
    wrong = {**entry("model.gguf", CONTENT, f"{url}/{source.name}"), "sha256": "0" * 64}
    answer = host.call(build(wrong))
    assert answer["failed"]
    assert "another content than its manifest says" in answer["msg"]
    assert not host.tree("model.gguf").exists()


def _fetch_in_a_process(root: str, url: str, digest: str, size: int, started: Any, told: Any) -> None:  # noqa: ANN401
    from ansible.module_utils.rackwright.model_fetch import fetch  # noqa: PLC0415 - in the process of its own
    from ansible.module_utils.rackwright.model_store import HostStore  # noqa: PLC0415

    store = HostStore(Path(root))
    one = build({"path": "model.gguf", "size": size, "sha256": digest, "source": url})
    started.wait()
    with store.writing(30):
        came = not store.whole(digest, size, read=False)
        if came:
            fetch(store, one["files"][0], None)
            store.record(one)
            store.remember([one])
    told.put(came)


def test_two_hosts_that_fetch_into_one_store(
    host: Host, source: Path, mirror: tuple[str, type[Cutting]]
) -> None:
    """Two processes at once, as two hosts on a shared file system: one fetches, the other finds it there."""
    url, handler = mirror
    handler.cuts += [500_000]
    context = multiprocessing.get_context("fork")
    started, told = context.Barrier(2), context.Queue()
    arguments = (
        str(host.root),
        f"{url}/{source.name}",
        sha256(CONTENT).hexdigest(),
        len(CONTENT),
        started,
        told,
    )
    processes = [context.Process(target=_fetch_in_a_process, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    assert sorted(told.get(timeout=60) for _ in processes) == [False, True]
    for process in processes:
        process.join(30)
    assert host.tree("model.gguf").read_bytes() == CONTENT
    assert [path.name for path in (host.root / "blobs").iterdir()] == [sha256(CONTENT).hexdigest()]


class Connection:
    """Stands for Ansible's connection: runs the command here, and is cut when it is told to be."""

    def __init__(self, cut_after: int | None = None) -> None:
        self.cut_after = cut_after
        self.sent = 0

    def run(self, command: str, in_data: bytes) -> Result:
        if self.cut_after is not None and self.sent >= self.cut_after:
            return {"rc": 255, "stdout": "", "stderr": "Connection reset by peer"}
        subprocess.run(["sh", "-c", command], input=in_data, check=True)
        self.sent += 1
        return {"rc": 0, "stdout": "", "stderr": ""}


def test_what_is_sent_in_pieces_goes_on_after_a_cut(
    load: Callable[[str, str], Any], monkeypatch: pytest.MonkeyPatch, source: Path, tmp_path: Path
) -> None:
    module = load("action", "model_store")
    monkeypatch.setattr(module, "PIECE", 100_000)
    action = object.__new__(module.ActionModule)
    target, file = tmp_path / "it's partial", entry("model.gguf", CONTENT, str(source))
    connection = Connection(cut_after=3)
    monkeypatch.setattr(action, "_low_level_execute_command", connection.run, raising=False)
    with pytest.raises(Exception, match="cut after 300000 of 1048576 bytes: Connection reset"):
        action._send(file, str(target), 0)
    assert target.stat().st_size == 300_000
    connection.cut_after = None
    action._send(file, str(target), 300_000)
    assert target.read_bytes() == CONTENT
    assert connection.sent == 3 + 8
