"""The double of Qdrant is as strict as Qdrant: what is not documented ends it; nobody gets past its key."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rackwright.site.paths import repository_root

DOUBLES = repository_root() / "tests/doubles"
KEY, READ_ONLY = "k" * 40, "r" * 40


def started(work: Path, configuration: dict[str, Any], *arguments: str) -> subprocess.Popen[str]:
    """Start the double as the image does."""
    listed, path = work / "documented.json", work / "config.yaml"
    listed.write_text(json.dumps(yaml.safe_load((DOUBLES / "stores/qdrant.documented.yml").read_text())))
    path.write_text(yaml.safe_dump(configuration))
    command = [sys.executable, str(DOUBLES / "stores/qdrant.py"), "--config-path", str(path), *arguments]
    environment = {
        "PATH": os.environ["PATH"],
        "DOUBLE_DOCUMENTED": str(listed),
        "PYTHONPATH": str(DOUBLES / "engines"),
    }
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def configured(work: Path, port: int = 0, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever YAML says
    storage = {"storage_path": str(work / "storage"), "snapshots_path": str(work / "snapshots")}
    service = {"http_port": port, "api_key": KEY, "read_only_api_key": READ_ONLY}
    return {"storage": storage, "service": service} | more


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Callable[..., tuple[int, Any]]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = started(tmp_path, configured(tmp_path, port))

    def asked(method: str, path: str, body: object = None, key: str = KEY) -> tuple[int, Any]:
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}", data=content, method=method, headers={"api-key": key}
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            asked("GET", "/readyz")
            break
        except OSError:
            time.sleep(0.1)
    yield asked
    process.terminate()
    process.communicate(timeout=30)


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"storrage": {}}, "unknown field `storrage`"),
        ({"log_level": 5}, "`log_level` must be text"),
        ({"cluster": {"enabled": True}}, "--uri or --bootstrap is needed"),
        ({"service": {"enable_tls": True}, "tls": {"cert": "/none", "key": "/none"}}, "TLS config error"),
    ],
)
def test_what_qdrant_would_not_take_ends_it(tmp_path: Path, more: dict[str, Any], complaint: str) -> None:
    process = started(tmp_path, configured(tmp_path, **more))
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert complaint in said


def test_an_argument_that_is_not_documented_ends_it(tmp_path: Path) -> None:
    process = started(tmp_path, configured(tmp_path), "--no-such")
    said, _ = process.communicate(timeout=60)
    assert "unrecognized arguments: --no-such" in said


def test_the_keys_let_in_and_no_further(ask: Callable[..., tuple[int, Any]]) -> None:
    made = {"vectors": {"size": 2, "distance": "Cosine"}}
    assert ask("PUT", "/collections/a", made, "")[0] == 401
    assert ask("PUT", "/collections/a", made, READ_ONLY)[0] == 403
    assert ask("PUT", "/collections/a", made)[0] == 200
    assert ask("PUT", "/collections/a", made)[0] == 409
    assert ask("GET", "/collections/a", None, READ_ONLY)[0] == 200
    point = {"points": [{"id": 1, "vector": [1.0, 0.0, 0.0]}]}
    assert ask("PUT", "/collections/a/points", point)[0] == 400, "a vector of another size"
    assert ask("GET", "/readyz", None, "")[0] == 200
