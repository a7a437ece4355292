"""`ollama_models` against the double of Ollama: made once, anew when said otherwise, refused with reasons."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import RunModule

DOUBLES = Path(__file__).parents[1] / "doubles/engines"
GGUF = b"GGUF" + b"\0" * 60
SUM = hashlib.sha256(GGUF).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def url(tmp_path: Path, store: Path) -> Iterator[str]:
    listed = tmp_path / "ollama.json"
    listed.write_text(json.dumps(yaml.safe_load((DOUBLES / "ollama.documented.yml").read_text())))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "DOUBLE_DOCUMENTED": str(listed),
        "OLLAMA_HOST": f"127.0.0.1:{port}", "OLLAMA_MODELS": str(store),
    }  # fmt: skip
    with subprocess.Popen(
        [sys.executable, str(DOUBLES / "ollama.py"), "serve"], env=environment, stdout=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
        process.terminate()


def model(file: Path, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - options of the module
    return {"name": "m:latest", "file": str(file), "sha256": SUM, **more}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "m.gguf"
    path.write_bytes(GGUF)
    return path


def test_it_is_made_once_and_anew_when_said_otherwise(
    run_module: RunModule, url: str, store: Path, file: Path
) -> None:
    def run(**more: Any) -> list[str]:  # noqa: ANN401
        result = run_module(
            "ollama_models", {"url": url, "store": str(store), "models": [model(file, **more)]}
        )
        assert result["changed"] is any(item["reason"] for item in result["items"])
        return [item["reason"] for item in result["items"]]

    assert run() == ["missing"]
    assert run() == [""]
    assert run(parameters={"stop": ["<end>"]}) == ["defined anew"]
    assert run(parameters={"stop": ["<end>"]}) == [""]
    # The store has a second name of the file, not a copy.
    assert file.stat().st_nlink > 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"file": "/nowhere.gguf"}, "its file /nowhere.gguf is not on the host"),
        ({"sha256": "0" * 64}, "has SHA-256"),
        ({"file": None, "pull": "m"}, "ollama_pull is false"),
    ],
)
def test_what_cannot_be_made_is_refused_with_the_reason(
    run_module: RunModule, url: str, store: Path, file: Path, changes: dict[str, Any], expected: str
) -> None:
    wanted = {**model(file), **changes}
    result = run_module("ollama_models", {"url": url, "store": str(store), "models": [wanted]})
    assert result["failed"]
    assert expected in result["msg"]


def test_a_pull_that_nobody_serves_is_told(run_module: RunModule, url: str, store: Path) -> None:
    models = [{"name": "m:latest", "pull": "registry.example.internal/m:latest"}]
    result = run_module("ollama_models", {"url": url, "store": str(store), "models": models, "pull": True})
    assert "no such host" in result["msg"]


def test_check_mode_says_what_would_be_made(run_module: RunModule, store: Path, file: Path) -> None:
    """Also where the server is not there yet."""
    arguments = {"url": "http://127.0.0.1:9", "store": str(store), "models": [model(file)]}
    result = run_module("ollama_models", arguments, check=True)
    assert [item["reason"] for item in result["items"]] == ["missing"]
    assert file.stat().st_nlink == 1
