"""Verified state on the host: whatever somebody does to what is recorded, the record no longer holds."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import UnixStreamServer
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest
from ansible.module_utils.rackwright import fingerprint, verified
from ansible.module_utils.rackwright.command import Outcome
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Subjects: TypeAlias = dict[str, list[Any]]
DIGEST = "a5" * 32
RESULT = {"changed": False, "items": []}


class Keeper:
    """A module that records what it finds, and the next run's look at it."""

    def __init__(self, state: Path) -> None:
        self.state = state

    def keep(
        self,
        subjects: Subjects,
        meanwhile: Callable[[], object] = lambda: None,
        *,
        check: bool = False,
        result: dict[str, Any] = RESULT,
        until: float | None = None,
    ) -> bool:
        watch = verified.Watch(SimpleNamespace(check_mode=check), subjects)  # type: ignore[arg-type]
        meanwhile()
        watch.keep(result, until)
        return (self.state / DIGEST).exists()

    def holds(self) -> bool:
        found = verified.verified(self.state)
        assert (DIGEST in found) == (self.state / DIGEST).exists(), "what does not hold is removed"
        return DIGEST in found


@pytest.fixture
def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keeper:
    monkeypatch.setattr(verified, "directory", lambda: tmp_path / "state")
    monkeypatch.setattr(verified, "SETTLED", -1.0)
    monkeypatch.setattr(sys, "argv", ["run.py", DIGEST])
    return Keeper(tmp_path / "state")


def rewritten_in_place(path: Path) -> None:
    about = path.stat()
    path.write_bytes(path.read_bytes()[::-1] or b"x")
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))


def replaced_by_its_twin(path: Path) -> None:
    about, twin = path.stat(), path.with_name("twin")
    twin.write_bytes(path.read_bytes())
    os.utime(twin, ns=(about.st_atime_ns, about.st_mtime_ns))
    twin.chmod(about.st_mode)
    twin.replace(path)


def linked_elsewhere(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")


def moved_away_and_back(path: Path) -> None:
    path.rename(path.with_name("aside"))
    path.with_name("aside").rename(path)


ATTACKS: list[Callable[[Path], object]] = [
    lambda path: path.write_bytes(path.read_bytes() + b"\n"),
    lambda path: path.chmod(0o600 if path.stat().st_mode & 0o777 != 0o600 else 0o640),
    lambda path: os.link(path, path.with_name("second-name")),
    lambda path: path.unlink(),
    lambda path: path.touch(),
    rewritten_in_place,
    replaced_by_its_twin,
    linked_elsewhere,
    moved_away_and_back,
]


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(st.sampled_from(["a", "b/c", "b/d/e", "f"]), min_size=1, unique=True),
    content=st.binary(max_size=8),
    kind=st.sampled_from(["paths", "trees"]),
    attack=st.sampled_from(ATTACKS),
    data=st.data(),
)
def test_no_touch_of_a_file_goes_unseen(
    keeper: Keeper,
    tmp_path: Path,
    names: list[str],
    content: bytes,
    kind: str,
    attack: Callable[[Path], object],
    data: st.DataObject,
) -> None:
    root = tmp_path / f"root-{time.monotonic_ns()}"
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    subjects = {"paths": [str(root / name) for name in names]} if kind == "paths" else {"trees": [str(root)]}
    assert keeper.keep(subjects)
    assert keeper.holds()
    # Times of files move with the kernel's clock, which ticks every few milliseconds.
    time.sleep(0.006)
    attack(root / data.draw(st.sampled_from(names)))
    assert not keeper.holds()


def test_what_must_be_absent_and_what_is_added(keeper: Keeper, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for subjects, added in (
        ({"paths": [str(root / "old")]}, root / "old"),
        ({"trees": [str(root)]}, root / "new"),
        ({"paths": [str(root / "no" / "such")]}, root / "no"),
    ):
        assert keeper.keep(subjects)
        assert keeper.holds()
        time.sleep(0.006)
        if added.name == "no":
            added.mkdir()
            (added / "such").touch()
        else:
            added.touch()
        assert not keeper.holds()


def test_a_links_target_counts(keeper: Keeper, tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("a")
    link.symlink_to(target)
    assert keeper.keep({"paths": [str(link)]})
    time.sleep(0.006)
    target.write_text("b")
    assert not keeper.holds()


def test_a_place_is_free_for_others_but_its_rights_are_not(keeper: Keeper, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir(mode=0o755)
    assert keeper.keep({"places": [str(place)]})
    time.sleep(0.006)
    (place / "somebody's").touch()
    assert keeper.holds()
    place.chmod(0o700)
    assert not keeper.holds()
    assert keeper.keep({"places": [str(place)]})
    (place / "somebody's").unlink()
    place.rmdir()
    place.symlink_to(tmp_path)
    assert not keeper.holds()


def test_a_record_ends_with_its_time_and_with_a_clock_that_is_set_back(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    assert keeper.keep({"paths": ["/nowhere"]}, until=now + 100)
    assert keeper.holds()
    monkeypatch.setattr(verified.time, "time", lambda: now + 101)
    assert not keeper.holds()
    assert keeper.keep({"paths": ["/nowhere"]}, until=now + 200)
    monkeypatch.setattr(verified.time, "time", lambda: now - 1000)
    assert not keeper.holds()


def test_only_a_look_that_changed_nothing_is_kept(
    keeper: Keeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("a")
    subjects: Subjects = {"paths": [str(file)]}
    assert not keeper.keep(subjects, result={"changed": True})
    assert not keeper.keep(subjects, check=True)
    # Somebody else, while the module looked.
    assert not keeper.keep(subjects, meanwhile=file.unlink)
    monkeypatch.setattr(sys, "argv", ["run.py"])
    assert not keeper.keep(subjects)
    monkeypatch.setattr(sys, "argv", ["run.py", "--help"])
    assert not keeper.keep(subjects)


def test_what_has_just_been_written_has_to_settle(
    keeper: Keeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verified, "SETTLED", 0.5)
    file = tmp_path / "file"
    file.write_text("a")
    assert not keeper.keep({"paths": [str(file)]})
    assert not keeper.keep({"trees": [str(tmp_path)]})
    monkeypatch.setattr(verified, "SETTLED", 0.0)
    os.utime(file, (time.time() + 60, time.time() + 60))
    assert not keeper.keep({"paths": [str(file)]}), "a time to come would make a service restart then"


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "null", '{"made": 0}'])
def test_a_record_that_cannot_be_read_says_nothing(keeper: Keeper, text: str) -> None:
    assert keeper.keep({"paths": ["/nowhere"]})
    (keeper.state / DIGEST).write_text(text)
    assert not keeper.holds()


@pytest.mark.parametrize(
    "part",
    [{"subjects": {"souls": [1]}}, {"subjects": {"units": 5}}, {"result": []}, {"generation": "other"}],
)
def test_a_record_that_says_something_else_is_not_believed(keeper: Keeper, part: dict[str, Any]) -> None:
    assert keeper.keep({"paths": ["/nowhere"]})
    record = json.loads((keeper.state / DIGEST).read_text())
    (keeper.state / DIGEST).write_text(json.dumps({**record, **part}))
    assert verified.verified(keeper.state) == {}


def test_records_are_roots_alone_and_others_are_not_believed(keeper: Keeper) -> None:
    assert keeper.keep({"paths": ["/nowhere"]})
    assert verified.salt(keeper.state)
    assert keeper.state.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in keeper.state.iterdir()} == {0o600}
    keeper.state.chmod(0o770)
    assert verified.verified(keeper.state, tidy=False) == {}


def test_check_mode_removes_nothing_and_makes_no_salt(keeper: Keeper, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert keeper.keep({"paths": [str(file)]})
    file.unlink()
    assert verified.verified(keeper.state, tidy=False) == {}
    assert (keeper.state / DIGEST).exists()
    assert verified.salt(keeper.state, make=False) == ""
    assert verified.salt(keeper.state) == verified.salt(keeper.state, make=False) != ""


def test_the_oldest_records_go(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verified, "KEEP", 3)
    for number in range(5):
        monkeypatch.setattr(sys, "argv", ["run.py", f"{number:064x}"])
        verified.Watch(SimpleNamespace(check_mode=False), {"paths": ["/nowhere"]}).keep(RESULT)  # type: ignore[arg-type]
        os.utime(keeper.state / f"{number:064x}", (number, number))
    assert sorted(verified.verified(keeper.state)) == [f"{number:064x}" for number in (2, 3, 4)]
    assert len(list(keeper.state.iterdir())) == 3


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, str]]:
    units = {"a.service": {"Id": "a.service", "ActiveState": "active", "InvocationID": "1"}}

    def run(argv: list[str], **_: object) -> Outcome:
        if argv[0] == "nft":
            return Outcome((), 0, units["nft"]["rules"], "") if "nft" in units else Outcome((), 1, "", "")
        names = argv[argv.index("--") + 1 :]
        blocks = ["\n".join(f"{k}={v}" for k, v in units.get(name, {"Id": name}).items()) for name in names]
        return Outcome((), 0, "\n\n".join(blocks) + "\n", "")

    monkeypatch.setattr(fingerprint.command, "run", run)
    return units


def test_links_of_which_systemd_has_not_learned_yet(
    keeper: Keeper, systemd: dict[str, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wants = tmp_path / "links" / "multi-user.target.wants"
    wants.mkdir(parents=True)
    monkeypatch.setattr(fingerprint, "UNIT_LINKS", wants.parent)
    assert systemd
    assert keeper.keep({"units": ["a.service"]})
    assert keeper.holds()
    (wants / "a.service").symlink_to("/usr/lib/systemd/system/a.service")
    assert not keeper.holds()


@pytest.mark.parametrize("change", [{"ActiveState": "failed"}, {"InvocationID": "2"}])
def test_units(keeper: Keeper, systemd: dict[str, dict[str, str]], change: dict[str, str]) -> None:
    assert keeper.keep({"units": ["a.service", "b.service"]})
    assert keeper.holds()
    systemd["a.service"].update(change)
    assert not keeper.holds()


def test_the_packet_filter(keeper: Keeper, systemd: dict[str, dict[str, str]]) -> None:
    systemd["nft"] = {"rules": "table inet rackwright { }"}
    assert keeper.keep({"tables": ["inet rackwright"]})
    assert keeper.holds()
    del systemd["nft"]
    assert not keeper.holds()


def test_without_systemd_nothing_holds(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    assert keeper.keep({"paths": ["/nowhere"]})
    (keeper.state / DIGEST).write_text((keeper.state / DIGEST).read_text().replace('"paths"', '"units"'))
    monkeypatch.setattr(fingerprint.command, "run", lambda *_, **__: Outcome((), 1, "", "no bus"))
    assert verified.verified(keeper.state) == {}


def test_a_port_that_is_closed(keeper: Keeper) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert keeper.keep({"ports": [["127.0.0.1", port]]})
        assert keeper.holds()
    assert not keeper.holds()
    assert not keeper.keep({"ports": [["127.0.0.1", port]]})


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    containers: dict[str, Any] = {}

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = containers.get(self.path.split("/")[2])
            body = json.dumps(found or {"message": "no such container"}).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setattr(fingerprint, "DOCKER", str(tmp_path / "docker.sock"))
    with UnixStreamServer(str(tmp_path / "docker.sock"), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield containers
        server.shutdown()


def test_containers(keeper: Keeper, docker: dict[str, Any]) -> None:
    running = {
        "Id": "1",
        "Image": "i",
        "Config": {"Labels": {"rackwright.revision": "r"}},
        "State": {"Status": "running"},
    }
    for change in (
        {"State": {"Status": "exited"}},
        {"State": {"Status": "running", "Health": {"Status": "unhealthy"}}},
        {"Image": "j"},
        {"Config": {"Labels": {"rackwright.revision": "s"}}},
        None,
    ):
        docker["engine"] = running
        assert keeper.keep({"containers": ["engine"]})
        assert keeper.holds()
        docker["engine"] = {**running, **change} if change else None
        assert not keeper.holds()


def test_without_docker_nothing_is_said_of_containers(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprint, "DOCKER", "/nowhere/docker.sock")
    assert not keeper.keep({"containers": ["engine"]})


def test_accounts_and_kernel_settings(
    keeper: Keeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = tmp_path / "somaxconn"
    setting.write_text("4096\n")
    subjects: Subjects = {"users": ["root", "no-such-user"], "groups": ["root"], "kernel": [str(setting)]}
    assert keeper.keep(subjects)
    setting.write_text("4096\n")
    assert keeper.holds(), "the value counts, not its file"
    setting.write_text("128\n")
    assert not keeper.holds()
    assert keeper.keep(subjects)
    entry = fingerprint.pwd.getpwnam("root")
    monkeypatch.setattr(fingerprint.pwd, "getpwnam", lambda _: entry)
    assert not keeper.holds(), "the missing user is there now"


def test_arguments_are_told_without_secrets(keeper: Keeper) -> None:
    module = SimpleNamespace(
        check_mode=False, params={"name": "a", "key": "s3cret"}, no_log_values={"s3cret"}
    )
    verified.Watch(module, {"paths": ["/nowhere"]}).keep(RESULT, with_arguments=True)  # type: ignore[arg-type]
    (result,) = verified.verified(keeper.state).values()
    assert result["invocation"]["module_args"]["name"] == "a"
    assert "s3cret" not in (keeper.state / DIGEST).read_text()
