"""container_service: when the host acts, and when it does not.

The tests run the module against a small program in the place of `docker` that keeps its state in a file. The
real engine is asked by the lab's scenarios (molecule/site).
"""

from __future__ import annotations

import json
import os
import runpy
import stat
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

import ansible.module_utils
import pytest
from ansible.module_utils.testing import patch_module_args

from rackwright.containers.compose import Project, project
from rackwright.containers.definition import parse

PLUGINS = Path(__file__).parents[2] / "plugins"
IMAGE_ID = "sha256:" + "a" * 64
OTHER_ID = "sha256:" + "b" * 64
# What JSON can say.
Value: TypeAlias = Any
SECRET = "s3cret-$value-\"with'quotes"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="the module gives files to other users")


def arguments(**changes: Value) -> dict[str, Any]:
    definition: dict[str, Any] = {
        "command": ["serve", "--title", "5 $ only"],
        "environment": {"VERBOSE": True, "PRICE": "$HOME"},
        "secret_environment": {"TOKEN": SECRET},
        "secrets": {"key": SECRET},
        "user": f"{os.getuid()}:{os.getgid()}",
        "ports": [{"address": "10.77.20.11", "port": 80, "container_port": 8080}],
        "healthcheck": {"command": ["true"]},
        "memory_mb": 64,
        "cpus": 0.5,
    }
    image = {"name": "echo:1", "archive": "/x.tar", "image_id": IMAGE_ID}
    definition.update(changes.pop("definition", {}))
    return {"name": "echo", "image": image, "definition": definition} | changes


DOCKER = f"""#!{sys.executable}
import json, os, sys
from pathlib import Path

place = Path(os.environ["FAKE_DOCKER"])
state = json.loads(place.read_text())
words = sys.argv[1:]
state["calls"].append(words)
code = 0
if state["down"]:
    code = "Cannot connect to the Docker daemon"
elif words[:2] == ["container", "inspect"]:
    if state["container"] is None:
        code = "Error: No such container: echo"
    else:
        print(json.dumps([state["container"]]))
elif words[:2] == ["image", "inspect"]:
    code = 0 if words[-1] in state["images"] else "No such image"
elif words[0] == "load":
    state["images"].append(Path(words[-1]).read_text())
elif words[0] == "compose" and "up" in words:
    document = Path(words[words.index("--file") + 1]).read_text()
    revision = document.split("rackwright.revision: ")[1].split()[0]
    image = document.split("image: ")[1].split()[0]
    labels = {{"rackwright.revision": revision, "com.docker.compose.project": "echo"}}
    health = {{"Status": "healthy"}}
    running = {{"Status": "running", "Health": health}}
    state["container"] = {{"Config": {{"Labels": labels}}, "Image": image, "State": running}}
    code = state["up"]
elif words[0] == "compose" and "down" in words:
    state["container"] = None
elif words[0] == "logs":
    print("it says " + os.environ.get("FAKE_LOG", ""))
place.write_text(json.dumps(state))
sys.exit(code)
"""


class Host:
    """A host with a docker program whose state the tests can read and spoil."""

    def __init__(
        self, root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.directory = root / "containers" / "echo"
        self.program = root / "bin" / "docker"
        self.archive = root / "x.tar"
        self.archive.write_text(IMAGE_ID)
        self._state = root / "state.json"
        self._capsys = capsys
        self.set(down=False, container=None, images=[], calls=[], up=0)
        self.program.parent.mkdir()
        self.program.write_text(DOCKER)
        self.program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{self.program.parent}:{os.environ['PATH']}")
        monkeypatch.setenv("FAKE_DOCKER", str(self._state))
        monkeypatch.setenv("FAKE_LOG", SECRET)
        path = [*ansible.module_utils.__path__, str(PLUGINS / "module_utils")]
        monkeypatch.setattr(ansible.module_utils, "__path__", path)

    def get(self, key: str) -> Value:
        return json.loads(self._state.read_text())[key]

    def set(self, **values: Value) -> None:
        state = json.loads(self._state.read_text()) if self._state.exists() else {}
        self._state.write_text(json.dumps(state | values))

    def calls(self) -> list[str]:
        """Return what was asked of docker since the last question, one line for each call."""
        calls = [" ".join(call) for call in self.get("calls")]
        self.set(calls=[])
        return calls

    def apply(self, *, check: bool = False, **changes: Value) -> dict[str, Any]:
        given = arguments(**changes)
        written: Project = project(parse(given))
        image = {"reference": given["image"]["image_id"], "image_id": given["image"]["image_id"]}
        parameters = asdict(written) | {
            "name": "echo",
            "image": image | {"archive": str(self.archive)},
            "secret_owner": given["definition"]["user"],
        }
        return self.run(parameters, check=check)

    def run(self, parameters: dict[str, Any], *, check: bool = False) -> dict[str, Any]:
        given = {"name": "echo", "directory": str(self.directory), "_ansible_check_mode": check} | parameters
        with patch_module_args(given), pytest.raises(SystemExit):
            runpy.run_path(str(PLUGINS / "modules" / "container_service.py"), run_name="__main__")
        answer: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        return answer


@pytest.fixture
def host(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, capsys, monkeypatch)


@needs_root
def test_applied_twice_changes_nothing_and_asks_docker_once(host: Host) -> None:
    assert host.apply()["changed"]
    host.calls()
    again = host.apply()
    assert (again["changed"], again["reasons"]) == (False, [])
    assert host.calls() == ["container inspect echo"]


@needs_root
def test_files_are_closed_to_others(host: Host) -> None:
    host.apply()
    modes = {
        str(path.relative_to(host.directory)): stat.S_IMODE(path.stat().st_mode)
        for path in [host.directory, *host.directory.rglob("*")]
    }
    expected = {".": 0o700, "secrets": 0o700, "secrets/key": 0o400}
    assert modes == expected | {"secret.env": 0o600, "compose.yaml": 0o600}
    assert (host.directory / "secrets" / "key").read_text() == SECRET


@needs_root
def test_check_says_what_apply_does_and_touches_nothing(host: Host) -> None:
    told = host.apply(check=True)
    assert not host.directory.exists()
    assert all(" up " not in call and "load" not in call for call in host.calls())
    done = host.apply()
    assert (told["changed"], told["reasons"]) == (done["changed"], done["reasons"])
    assert not host.apply(check=True)["changed"]


def test_check_on_a_host_without_docker_or_with_docker_down(host: Host) -> None:
    host.set(down=True)
    assert host.apply(check=True)["changed"]
    refused = host.apply()
    assert refused["failed"]
    assert "Docker does not answer" in refused["msg"]


@needs_root
@pytest.mark.parametrize(
    ("spoil", "reason", "anew"),
    [
        ({"State": {"Status": "exited"}}, "it is exited", False),
        ({"State": {"Status": "paused"}}, "it is paused", True),
        ({"State": {"Status": "running", "Health": {"Status": "unhealthy"}}}, "it is unhealthy", True),
        ({"Image": OTHER_ID}, f"it runs the image {OTHER_ID}", False),
    ],
)
def test_what_is_not_as_defined_is_mended(host: Host, spoil: dict[str, Any], reason: str, anew: bool) -> None:
    host.apply()
    host.set(container=host.get("container") | spoil, calls=[])
    mended = host.apply()
    assert mended["reasons"] == [reason]
    (up,) = (call for call in host.calls() if " up " in call)
    assert ("--force-recreate" in up) is anew
    assert not host.apply()["changed"]


@needs_root
def test_a_rotated_secret_and_a_dropped_one_reach_the_host(host: Host) -> None:
    host.apply()
    changed = host.apply(definition={"secrets": {"other": "new"}, "secret_environment": {}})
    assert changed["reasons"][0] == "the definition changed"
    assert [path.name for path in (host.directory / "secrets").iterdir()] == ["other"]
    assert not (host.directory / "secret.env").exists()


@needs_root
def test_a_starting_container_is_waited_for_without_a_change(host: Host) -> None:
    host.apply()
    starting = {"State": {"Status": "running", "Health": {"Status": "starting"}}}
    host.set(container=host.get("container") | starting, calls=[])
    assert not host.apply()["changed"]
    assert any("--wait" in call for call in host.calls())


@needs_root
def test_the_image_is_loaded_only_when_it_is_not_there(host: Host) -> None:
    host.set(images=[IMAGE_ID])
    host.apply()
    assert not any(call.startswith("load") for call in host.calls())


def test_an_archive_with_another_image_is_refused_before_anything_changes(host: Host) -> None:
    host.archive.write_text(OTHER_ID)
    refused = host.apply()
    assert "does not hold the image" in refused["msg"]
    assert not host.directory.exists()


def test_a_foreign_container_of_the_same_name_is_left_alone(host: Host) -> None:
    foreign = {"Config": {"Labels": {}}, "Image": IMAGE_ID, "State": {"Status": "running"}}
    host.set(container=foreign)
    assert "is not this service's" in host.apply()["msg"]
    assert "is not this service's" in host.run({"state": "absent"})["msg"]
    assert host.get("container") == foreign


@needs_root
def test_a_failed_start_shows_the_log_without_secrets(host: Host) -> None:
    host.set(up="container echo is unhealthy")
    refused = host.apply()
    assert refused["failed"]
    assert "it says" in refused["msg"]
    assert SECRET not in json.dumps(refused)


@needs_root
def test_absent_removes_container_and_files_once(host: Host) -> None:
    host.apply()
    assert host.run({"state": "absent"}, check=True)["changed"]
    assert host.get("container") is not None
    assert host.run({"state": "absent"})["changed"]
    assert host.get("container") is None
    assert not host.directory.exists()
    assert not host.run({"state": "absent"})["changed"]
