"""`grafana_state` against the contract double of Grafana: accounts, passwords, files."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml

DOUBLES = Path(__file__).parents[1] / "doubles"
RunModule: TypeAlias = Callable[..., dict[str, Any]]
ADMIN = "a long password of the administrator"
ANN = {"login": "ann", "password": "a password of ann's", "role": "Editor"}


@dataclass
class Server:
    """The double, on loopback: its address, its directory and its environment."""

    url: str
    directory: Path
    environment: dict[str, str]

    @property
    def program(self) -> list[str]:
        return [sys.executable, str(DOUBLES / "grafana/grafana.py")]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    content = yaml.safe_load((DOUBLES / "grafana/grafana.documented.yml").read_text(encoding="utf-8"))
    (tmp_path / "documented.json").write_text(json.dumps(content), encoding="utf-8")
    for name in ("data", "provisioning/datasources", "provisioning/dashboards", "dashboards/rackwright"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "password").write_text(ADMIN, encoding="utf-8")
    write_datasources(tmp_path, "one")
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{DOUBLES / 'engines'}:{DOUBLES / 'grafana'}",
        "DOUBLE_DOCUMENTED": str(tmp_path / "documented.json"),
        "GF_PATHS_DATA": str(tmp_path / "data"),
        "GF_PATHS_PROVISIONING": str(tmp_path / "provisioning"),
        "GF_SERVER_HTTP_PORT": str(port),
        "GF_SECURITY_ADMIN_PASSWORD__FILE": str(tmp_path / "password"),
    }
    found = Server(f"http://127.0.0.1:{port}", tmp_path, environment)
    # `docker exec -i <container> <program> cli …` is the double's own command here.
    docker = tmp_path / "bin/docker"
    docker.parent.mkdir()
    words = " ".join(f"{name}='{value}'" for name, value in environment.items())
    docker.write_text(
        f'#!/bin/sh\nshift 4\nexec env {words} {" ".join(found.program)} "$@"\n', encoding="utf-8"
    )
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{docker.parent}:{os.environ['PATH']}")
    with subprocess.Popen([*found.program, "server"], env=environment, stdout=subprocess.DEVNULL) as process:
        yield found
        process.terminate()


def write_datasources(directory: Path, *names: str) -> None:
    found = [
        {"name": name, "uid": name, "type": "prometheus", "access": "proxy", "url": "http://127.0.0.1:9"}
        for name in names
    ]
    text = yaml.safe_dump({"apiVersion": 1, "prune": True, "datasources": found})
    (directory / "provisioning/datasources/rackwright.yaml").write_text(text, encoding="utf-8")


def run(run_module: RunModule, server: Server, *, check: bool = False, **more: object) -> dict[str, Any]:
    arguments = {
        "url": server.url,
        "admin_password": ADMIN,
        "users": [ANN],
        "watched": [str(server.directory / "provisioning/datasources/rackwright.yaml")],
        "record": str(server.directory / "data/.read"),
        "dashboards_directory": str(server.directory / "dashboards"),
        **more,
    }
    return run_module("grafana_state", arguments, check=check)


def ask(server: Server, path: str, login: str, password: str) -> Any:  # noqa: ANN401 - JSON
    request = urllib.request.Request(f"{server.url}{path}")  # noqa: S310 - loopback
    token = base64.b64encode(f"{login}:{password}".encode()).decode()
    request.add_header("Authorization", f"Basic {token}")
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return json.load(answer)


def test_accounts_are_made_once(run_module: RunModule, server: Server) -> None:
    first = run(run_module, server)
    assert not first["failed"], first
    assert first["done"] == ["made ann", "had the datasources read again"]
    roles = {entry["login"]: entry["role"] for entry in ask(server, "/api/org/users", "admin", ADMIN)}
    assert roles == {"admin": "Admin", "ann": "Editor"}
    assert ask(server, "/api/user", "ann", str(ANN["password"]))["login"] == "ann"
    assert run(run_module, server)["done"] == []


def test_a_first_run_in_check_mode_asks_nobody(run_module: RunModule, tmp_path: Path) -> None:
    nobody = Server("http://127.0.0.1:9", tmp_path, {})
    assert run(run_module, nobody, check=True)["changed"]


def test_passwords_and_roles_are_set_right(run_module: RunModule, server: Server) -> None:
    run(run_module, server)
    changed = {"login": "ann", "password": "another password", "role": "Viewer"}
    told = run(run_module, server, users=[changed], check=True)
    assert told["done"] == ["set the password of ann", "ann is Viewer now, was Editor"]
    assert run(run_module, server, users=[changed])["done"] == told["done"]
    assert ask(server, "/api/user", "ann", "another password")
    assert run(run_module, server, users=[changed])["done"] == []


def test_another_password_of_admin(run_module: RunModule, server: Server) -> None:
    run(run_module, server)
    other = "another long password of the administrator"
    found = run(run_module, server, admin_password=other)
    assert not found["failed"], found
    assert found["done"] == ["set the password of admin"]
    assert ask(server, "/api/user", "admin", other)["isGrafanaAdmin"]


def test_datasources_are_read_again_when_their_file_has_changed(
    run_module: RunModule, server: Server
) -> None:
    run(run_module, server)
    write_datasources(server.directory, "one", "two")
    assert run(run_module, server)["done"] == ["had the datasources read again"]
    assert [source["uid"] for source in ask(server, "/api/datasources", "admin", ADMIN)] == ["one", "two"]


def test_a_file_that_nobody_wants_is_removed(run_module: RunModule, server: Server) -> None:
    kept, old = (server.directory / "dashboards/rackwright" / name for name in ("kept.json", "old.json"))
    kept.write_text("{}", encoding="utf-8")
    old.write_text("{}", encoding="utf-8")
    run(run_module, server)
    assert not kept.exists()
    kept.write_text("{}", encoding="utf-8")
    old.write_text("{}", encoding="utf-8")
    wanted = ["rackwright/kept.json"]
    assert run(run_module, server, dashboards=wanted, check=True)["done"] == ["removed rackwright/old.json"]
    assert run(run_module, server, dashboards=wanted)["done"] == ["removed rackwright/old.json"]
    assert (kept.exists(), old.exists()) == (True, False)


def test_a_server_that_does_not_answer_is_told(run_module: RunModule, tmp_path: Path) -> None:
    nobody = Server("http://127.0.0.1:9", tmp_path, {})
    started = time.monotonic()
    found = run(run_module, nobody, wait_seconds=1)
    assert found["failed"]
    assert "GET /api/health" in found["msg"]
    assert time.monotonic() - started < 10
