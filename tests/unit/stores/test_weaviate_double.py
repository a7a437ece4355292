"""The double of Weaviate is as strict as the program, and keeps to keys and lists."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

DOUBLES = Path(__file__).parents[2] / "doubles"
KEY, READER = "k" * 40, "r" * 40
USERS = {
    "authentication": {
        "anonymous_access": {"enabled": False},
        "apikey": {"enabled": True, "allowed_keys": [KEY, READER], "users": ["app", "reader"]},
    },
    "authorization": {"admin_list": {"enabled": True, "users": ["app"], "read_only_users": ["reader"]}},
}


def started(work: Path, configuration: object, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    known = yaml.safe_load((DOUBLES / "stores/weaviate.documented.yml").read_text(encoding="utf-8"))
    (work / "documented.json").write_text(json.dumps(known), encoding="utf-8")
    (work / "conf.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{DOUBLES / 'engines'}:{DOUBLES / 'stores'}",
        "DOUBLE_DOCUMENTED": str(work / "documented.json"),
        "PERSISTENCE_DATA_PATH": str(work / "data"),
        **variables,
    }
    command = [sys.executable, str(DOUBLES / "stores/weaviate.py"), "--host", "127.0.0.1"]
    command += ["--config-file", str(work / "conf.yaml"), *arguments]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Callable[..., tuple[int, Any]]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = started(tmp_path, USERS, "--port", str(port))

    # One for all that is asked, as the front before the program keeps it.
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def asked(method: str, path: str, body: object = None, key: str = KEY) -> tuple[int, Any]:
        content = None if body is None else json.dumps(body).encode()
        connection.request(method, path, content, {"Authorization": f"Bearer {key}"} if key else {})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")

    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            asked("GET", "/v1/.well-known/ready", key="")
            break
        except OSError:
            connection.close()
            time.sleep(0.1)
    yield asked
    connection.close()
    process.terminate()
    process.communicate(timeout=30)


@pytest.mark.parametrize(
    ("configuration", "variables", "complaint"),
    [
        ({"authentification": {}}, {}, "unknown field `authentification`"),
        (USERS, {"PERSISTENCE_PATH": "/x"}, "unknown environment: PERSISTENCE_PATH"),
        ({"authentication": {"anonymous_access": {"enabled": False}}}, {}, "no authentication scheme"),
        (
            {"authentication": {"apikey": {"enabled": True, "allowed_keys": ["a", "b"], "users": ["c"]}}},
            {},
            "length of users and keys must match",
        ),
    ],
)
def test_what_weaviate_would_not_take_ends_it(
    tmp_path: Path, configuration: object, variables: dict[str, str], complaint: str
) -> None:
    process = started(tmp_path, configuration, **variables)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert complaint in said


def test_an_argument_that_is_not_documented_ends_it(tmp_path: Path) -> None:
    said, _ = started(tmp_path, USERS, "--no-such").communicate(timeout=60)
    assert "unrecognized arguments: --no-such" in said


def test_the_keys_let_in_and_no_further(ask: Callable[..., tuple[int, Any]]) -> None:
    made = {"class": "A", "vectorizer": "none", "properties": [{"name": "n", "dataType": ["text"]}]}
    assert ask("POST", "/v1/schema", made, "")[0] == 401
    assert ask("POST", "/v1/schema", made, READER)[0] == 403
    assert ask("POST", "/v1/schema", made)[0] == 200
    assert ask("POST", "/v1/schema", made)[0] == 422
    assert ask("POST", "/v1/schema", {"class": "small"})[0] == 422
    assert ask("GET", "/v1/schema/A", key=READER) == (200, made)
    assert ask("GET", "/v1/schema/B")[0] == 404


def test_filters_counts_and_errors_are_graphqls(ask: Callable[..., tuple[int, Any]]) -> None:
    ask("POST", "/v1/schema", {"class": "A"})
    objects = [
        {"class": "A", "id": name, "vector": [1.0, number], "properties": {"n": name}}
        for number, name in enumerate(('x"y', "ü", "z"))
    ]
    assert ask("POST", "/v1/batch/objects", {"objects": objects})[0] == 200
    where = '{operator: Or, operands: [{path: ["n"], operator: Equal, valueText: "x\\"y"},'
    where += ' {path: ["n"], operator: Equal, valueText: "\\u00fc"}]}'
    near = f"nearVector: {{vector: [1, 0]}}, where: {where}"
    query = f"{{ Get {{ A({near}) {{ n _additional {{ distance }} }} }} }}"
    status, found = ask("POST", "/v1/graphql", {"query": query}, READER)
    assert status == 200
    assert [row["n"] for row in found["data"]["Get"]["A"]] == ['x"y', "ü"]
    _, counted = ask("POST", "/v1/graphql", {"query": "{ Aggregate { A { meta { count } } } }"})
    assert counted["data"]["Aggregate"]["A"] == [{"meta": {"count": 3}}]
    _, wrong = ask("POST", "/v1/graphql", {"query": "{ Get { A( } }"})
    assert "Syntax Error" in wrong["errors"][0]["message"]
    gone = {"match": {"class": "A", "where": {"path": ["n"], "operator": "Equal", "valueText": "z"}}}
    assert ask("DELETE", "/v1/batch/objects", gone)[1]["results"]["successful"] == 1
