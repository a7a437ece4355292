"""Chroma as the app, a program of its own host and an attacker see it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from conftest import Ask
from testinfra.host import Host

Connect = Callable[[str], Host]
COLLECTIONS = "/api/v2/tenants/default_tenant/databases/default_database/collections"


@pytest.fixture
def url(variables: Mapping[str, Any]) -> str:
    return f"https://{variables['ansible_host']}:8010"


@pytest.fixture
def key(variables: Mapping[str, Any]) -> str:
    return str(variables["vault_vector_store_api_key"])


@pytest.fixture
def collection(ask: Ask, url: str, key: str) -> Iterator[str]:
    """A collection with three vectors; gives its id."""
    status, text = ask("app1", f"{url}{COLLECTIONS}", {"name": "passages", "get_or_create": True}, key)
    assert status == 200, text
    found = str(json.loads(text)["id"])
    body = {
        "ids": ["a", "b", "c"],
        "embeddings": [[1.0, 0.0], [0.0, 1.0], [0.9, 0.1]],
        "documents": ["one", "two", "three"],
    }
    status, text = ask("app1", f"{url}{COLLECTIONS}/{found}/upsert", body, key)
    assert status == 200, text
    yield found
    ask("app1", f"{url}{COLLECTIONS}/passages", key=key, method="DELETE")


def nearest(ask: Ask, url: str, key: str, collection: str) -> list[str]:
    body = {"query_embeddings": [[1.0, 0.0]], "n_results": 2}
    status, text = ask("app1", f"{url}{COLLECTIONS}/{collection}/query", body, key)
    assert status == 200, text
    return list(json.loads(text)["ids"][0])


def test_the_app_keeps_vectors_and_finds_the_nearest(ask: Ask, url: str, key: str, collection: str) -> None:
    assert nearest(ask, url, key, collection) == ["a", "c"]


@pytest.mark.parametrize("wrong", ["", "wrong", "KEY"])
def test_without_the_key_nothing_is_told(ask: Ask, url: str, key: str, wrong: str) -> None:
    # Keys are compared with regard to case.
    given = key.swapcase() if wrong == "KEY" else wrong
    assert ask("app1", f"{url}{COLLECTIONS}", key=given)[0] == 401
    assert ask("app1", f"{url}/health")[0] == 200


def test_nobody_speaks_in_clear(ask: Ask, url: str, key: str) -> None:
    status, text = ask("app1", f"{url.replace('https', 'http')}/api/v2/heartbeat", key=key)
    assert status in {0, 400}
    assert "heartbeat" not in text


def test_no_program_of_the_host_gets_past_the_key(connect: Connect, ask: Ask, key: str) -> None:
    sockets = connect("data1").socket.get_listening_sockets()
    assert not [socket for socket in sockets if socket.endswith(":8000")]
    assert ask("data1", "http://127.0.0.1:8000/api/v2/heartbeat", key=key)[0] == 0


def test_chroma_can_call_nobody(connect: Connect, variables: Mapping[str, Any]) -> None:
    data = connect("data1")
    process = data.check_output("systemctl show -P MainPID rackwright-chroma")
    inside = data.check_output(f"nsenter -t {process} -n ip -o addr show")
    assert "127.0.0.1" in inside
    assert str(variables["ansible_host"]) not in inside


def test_it_is_within_its_share_and_nobodys_but_its_own(connect: Connect) -> None:
    data = connect("data1")
    shown = data.check_output("systemctl show rackwright-chroma -p MemoryMax -p User -p NoNewPrivileges")
    values = dict(line.partition("=")[::2] for line in shown.splitlines())
    assert values["User"] == "rackwright-chroma"
    assert values["NoNewPrivileges"] == "yes"
    assert 256 * 2**20 <= int(values["MemoryMax"]) < 2048 * 2**20
    assert data.file("/var/lib/rackwright-chroma").mode == 0o750


def test_the_key_is_in_one_file_alone(holders: Callable[..., list[str]], connect: Connect, key: str) -> None:
    data, place = connect("data1"), "/etc/rackwright/chroma-front/key.conf"
    assert holders(key, "/etc", "/var/log", "/var/lib", "/run/systemd", "/root") == [place]
    assert data.file(place).mode == 0o640
    assert key not in data.check_output("ps -eo args")


def test_a_kill_loses_nothing_and_callers_come_back(
    connect: Connect, ask: Ask, url: str, key: str, collection: str
) -> None:
    connect("data1").check_output("kill -9 $(systemctl show -P MainPID rackwright-chroma)")
    until = time.monotonic() + 60
    while ask("app1", f"{url}/health")[0] != 200 and time.monotonic() < until:
        time.sleep(1)
    assert nearest(ask, url, key, collection) == ["a", "c"]


def test_the_whole_store_cannot_be_emptied_by_one_call(ask: Ask, url: str, key: str) -> None:
    status, text = ask("app1", f"{url}/api/v2/reset", {}, key)
    assert status != 200
    assert "disabled" in text
