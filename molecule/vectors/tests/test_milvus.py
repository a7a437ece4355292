"""Milvus, the real server: as the app and an attacker see it; kept, lost and brought back."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from conftest import Ask, Keeper
from machines import Machines

DATA, FRONT = "/var/lib/rackwright-milvus", "rackwright-milvus-front"
STORE = "data1/milvus"
NAME = "passages"
FIELDS = [
    {"fieldName": "id", "dataType": "Int64", "isPrimary": True},
    {"fieldName": "vector", "dataType": "FloatVector", "elementTypeParams": {"dim": "2"}},
    {"fieldName": "subject", "dataType": "VarChar", "elementTypeParams": {"max_length": "64"}},
]
INDEX = {
    "fieldName": "vector",
    "indexName": "v",
    "metricType": "COSINE",
    "params": {"index_type": "AUTOINDEX"},
}
COLLECTION = {
    "collectionName": NAME,
    "schema": {"fields": FIELDS},
    "indexParams": [INDEX],
    "params": {"consistencyLevel": "Strong"},
}
ALL = {"roleName": "rackwright", "objectType": "Global", "objectName": "*", "privilege": "All"}
Call = Callable[..., Any]
Play = Callable[..., str]


@pytest.fixture(scope="module")
def host(machines: Machines) -> str:
    return machines.addresses["data1"]


@pytest.fixture(scope="module")
def call(ask: Ask, host: str, key: str) -> Call:
    """Asks REST v2 as the app's user, from the app's host."""

    def called(what: str, body: Mapping[str, Any], token: str = "") -> Any:  # noqa: ANN401 - JSON
        url = f"https://{host}:19530/v2/vectordb/{what}"
        status, text = ask("app1", url, body, token or f"rackwright:{key}")
        return (
            json.loads(text) | {"status": status}
            if text.startswith("{")
            else {"status": status, "text": text}
        )

    return called


def count(call: Call) -> int:
    asked = {"collectionName": NAME, "filter": "", "outputFields": ["count(*)"], "consistencyLevel": "Strong"}
    answer = call("entities/query", asked)
    assert answer["code"] == 0, answer
    return int(answer["data"][0]["count(*)"])


def keep(call: Call, numbers: range) -> None:
    data = [{"id": n, "vector": [1.0, n / 1000], "subject": "alice"} for n in numbers]
    answer = call("entities/upsert", {"collectionName": NAME, "data": data})
    assert answer["code"] == 0, answer


def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends
        time.sleep(1)


@pytest.fixture(scope="module")
def collection(call: Call) -> None:
    """A collection with a thousand entries."""
    if not call("collections/has", {"collectionName": NAME})["data"]["has"]:
        made = call("collections/create", COLLECTION)
        assert made["code"] == 0, made
    keep(call, range(1000))
    until(lambda: count(call) == 1000, 30)


def test_the_apps_suite_for_stores(suite: Callable[..., str], host: str, key: str) -> None:
    assert "passed" in suite("milvus", f"https://{host}:19530", f"rackwright:{key}")


@pytest.mark.parametrize("token", ["", "root:Milvus", "rackwright:wrong", "root:KEY"])
def test_nobody_is_let_in_by_another_password(call: Call, key: str, token: str) -> None:
    answer = call("collections/list", {}, token.replace("KEY", key) or "nobody:nothing")
    assert answer["status"] == 401, answer


@pytest.mark.usefixtures("collection")
@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("collections/drop", {"collectionName": NAME}),
        ("users/create", {"userName": "mallory", "password": "m" * 32}),
        ("roles/grant_privilege", ALL),
        ("users/grant_role", {"userName": "rackwright", "roleName": "admin"}),
    ],
)  # fmt: skip
def test_the_apps_user_drops_and_grants_nothing(call: Call, what: str, body: dict[str, Any]) -> None:
    answer = call(what, body)
    assert answer["status"] == 403, answer
    assert count(call) == 1000


def test_metrics_ask_for_the_key_and_nothing_else_of_their_port_is_passed(
    ask: Ask, host: str, key: str
) -> None:
    url = f"https://{host}:19530"
    status, text = ask("ops1", f"{url}/metrics", token=key)
    assert status in {0, 200}, "the backup host is none that watches"
    status, text = ask("app1", f"{url}/metrics", token=key)
    assert status == 200
    assert "milvus_proxy_req_count" in text
    assert ask("app1", f"{url}/metrics")[0] == 401
    assert ask("app1", f"{url}/health")[0] == 200
    for path in ("/management/stop?role=proxy", "/log/level", "/api/v1/credential/users", "/healthz"):
        assert ask("app1", f"{url}{path}", token=key)[0] in {400, 401, 404}, path


def test_what_is_behind_the_front_is_the_hosts_own(machines: Machines, host: str) -> None:
    targets = [(host, port) for port in (19530, 19531, 19532)]
    found = machines.probe(["app1", "ops1"], targets)
    assert [found["app1"][target] for target in targets] == ["open", "unreachable", "unreachable"]
    assert found["ops1"][targets[1]] == found["ops1"][targets[2]] == "unreachable"


def test_it_is_shut_in_and_keys_are_in_no_argument(
    machines: Machines, key: str, variables: Mapping[str, Any]
) -> None:
    shown = machines.inside("data1", "docker inspect milvus")
    (found,) = json.loads(shown)
    for secret in (key, str(variables["vault_milvus_root_password"])):
        assert secret not in shown
        assert secret not in machines.inside("data1", "ps -eo args")
    assert found["HostConfig"]["ReadonlyRootfs"]
    assert found["HostConfig"]["CapDrop"] == ["ALL"]
    assert found["Config"]["User"] == "60620:60620"
    assert machines.inside("data1", f"stat -c '%U %a' {DATA}") == "rackwright-milvus 750"


@pytest.mark.usefixtures("collection")
def test_a_kill_loses_nothing_and_callers_come_back(machines: Machines, call: Call, key: str) -> None:
    keep(call, range(1000, 1100))
    machines.inside("data1", "kill -9 $(docker inspect -f '{{.State.Pid}}' milvus)")
    user = f"rackwright:{key}"
    asked = {"collectionName": NAME}
    state = "LoadStateLoaded"
    until(
        lambda: (call("collections/get_load_state", asked, user).get("data") or {}).get("loadState") == state
    )
    until(
        lambda: call("entities/query", {**asked, "filter": "id < 5", "outputFields": ["id"]}).get("code") == 0
    )
    assert count(call) == 1100
    gone = call("entities/delete", {**asked, "filter": "id >= 1000"})
    assert gone["code"] == 0, gone
    assert count(call) == 1000


@pytest.mark.usefixtures("collection")
def test_lost_entries_come_back_with_their_number(
    machines: Machines, call: Call, keeper: Keeper, restore: Keeper
) -> None:
    (kept,) = keeper("backup", STORE)
    assert "failed" not in kept, kept
    (proof,) = keeper("verify", STORE)
    assert proof["ok"] is True, proof
    asked = {"collectionName": NAME, "filter": "id < 5", "outputFields": ["id"]}
    until(lambda: call("entities/query", asked).get("code") == 0)
    assert count(call) == 1000
    assert call("entities/delete", {"collectionName": NAME, "filter": "id >= 10"})["code"] == 0
    assert count(call) == 10
    assert restore(STORE)["entries"][NAME] == 1000
    until(lambda: call("entities/query", asked).get("code") == 0)
    assert count(call) == 1000
    asked = {"collectionName": NAME, "annsField": "vector", "filter": 'subject == "alice"', "limit": 3}
    hits = call("entities/search", asked | {"data": [[1.0, 0.0]]})
    assert [hit["id"] for hit in hits["data"]] == [0, 1, 2]
    assert machines.inside("data1", f"ls {DATA}.before-restore") != ""


def test_a_second_run_changes_nothing_and_new_keys_are_taken(
    play: Play, call: Call, key: str, variables: Mapping[str, Any]
) -> None:
    assert "changed=0" in play("vector_store").partition("PLAY RECAP")[2]
    other = "o" * 48
    play("vector_store", "--tags", "milvus,always", vault_vector_store_api_key=other)
    assert call("collections/list", {}, f"rackwright:{other}")["code"] == 0
    assert call("collections/list", {}, f"rackwright:{key}")["status"] == 401
    root = str(variables["vault_milvus_root_password"])
    said = play("vector_store", status=1, vault_milvus_root_password="n" * 48)
    assert "milvus_former_root_password" in said
    play("vector_store", vault_milvus_root_password="n" * 48, milvus_former_root_password=root)
    play("vector_store", milvus_former_root_password="n" * 48)
    assert call("collections/list", {}, f"rackwright:{key}")["code"] == 0
