"""Weaviate (a contract double) takes Milvus' place: keys, doors, backups, by the same means."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from conftest import Ask, Keeper
from machines import Machines

STORE = "data1/weaviate"
CHOSEN = {"vector_store": "weaviate", "weaviate_read_only_key": "r" * 40}
Play = Callable[..., str]


@pytest.fixture(scope="module")
def url(machines: Machines, play: Play) -> str:
    """Where it is called, once the site has chosen it."""
    status, said = machines.play("playbooks/base.yml", "data1,app1", **CHOSEN)
    assert status == 0, said
    play("vector_store", **CHOSEN)
    return f"https://{machines.addresses['data1']}:8011"


def keep(ask: Ask, url: str, key: str, numbers: range) -> None:
    common = {"class": "Passages"}
    objects = [
        common | {"id": f"00000000-0000-0000-0000-{n:012}", "vector": [1.0, n / 100], "properties": {"n": n}}
        for n in numbers
    ]
    status, text = ask("app1", f"{url}/v1/batch/objects", {"objects": objects}, key)
    assert (status, "FAILED" in text) == (200, False), text


def count(ask: Ask, url: str, key: str) -> int:
    query = {"query": "{ Aggregate { Passages { meta { count } } } }"}
    status, text = ask("app1", f"{url}/v1/graphql", query, key)
    assert status == 200, text
    return int(json.loads(text)["data"]["Aggregate"]["Passages"][0]["meta"]["count"])


@pytest.fixture(scope="module")
def objects(ask: Ask, url: str, key: str) -> None:
    """A class with fifty objects."""
    made = {"class": "Passages", "vectorizer": "none", "properties": [{"name": "n", "dataType": ["int"]}]}
    ask("app1", f"{url}/v1/schema", made, key)
    keep(ask, url, key, range(50))


def test_the_former_store_is_called_by_nobody(machines: Machines, ask: Ask, url: str) -> None:
    assert url
    assert ask("app1", f"https://{machines.addresses['data1']}:19530/health")[0] == 0


def test_the_apps_suite_for_stores(suite: Callable[..., str], url: str, key: str) -> None:
    assert "passed" in suite("weaviate", url, key)


@pytest.mark.usefixtures("objects")
def test_nobody_is_let_in_without_a_key_and_a_reader_only_reads(ask: Ask, url: str, key: str) -> None:
    for token in ("", "wrong", key.swapcase()):
        assert ask("app1", f"{url}/v1/schema", token=token)[0] == 401
    reader = CHOSEN["weaviate_read_only_key"]
    assert ask("app1", f"{url}/v1/schema", token=reader)[0] == 200
    assert ask("app1", f"{url}/v1/schema", {"class": "Other"}, reader)[0] == 403
    assert ask("app1", f"{url}/health")[0] == 200
    assert ask("app1", f"{url}/metrics")[0] == 401
    status, text = ask("app1", f"{url}/metrics", token=key)
    assert status == 200
    assert 'object_count{class_name="Passages"' in text


def test_it_is_shut_in_and_the_key_is_in_no_argument(machines: Machines, url: str, key: str) -> None:
    assert url
    shown = machines.inside("data1", "docker inspect weaviate")
    (found,) = json.loads(shown)
    assert key not in shown
    assert found["HostConfig"]["ReadonlyRootfs"]
    assert found["Config"]["User"] == "60630:60630"
    targets = [(machines.addresses["data1"], port) for port in (8011, 8012, 8013)]
    assert list(machines.probe(["app1"], targets)["app1"].values()) == ["open", "unreachable", "unreachable"]


@pytest.mark.usefixtures("objects")
def test_lost_objects_come_back_with_their_number(
    ask: Ask, url: str, key: str, keeper: Keeper, restore: Keeper, machines: Machines
) -> None:
    status, said = machines.play("playbooks/backup_hosts.yml", "data1,ops1", **CHOSEN)
    assert status == 0, said
    (kept,) = keeper("backup", STORE)
    assert "failed" not in kept, kept
    (proof,) = keeper("verify", STORE)
    assert proof["ok"] is True, proof
    keep(ask, url, key, range(50, 60))
    assert count(ask, url, key) == 60
    assert restore(STORE, **CHOSEN)["entries"]["Passages"] == 50
    assert count(ask, url, key) == 50


def test_a_second_run_changes_nothing_and_a_key_is_taken(play: Play, ask: Ask, url: str, key: str) -> None:
    said = play("vector_store", **CHOSEN)
    assert "changed=0" in said.partition("PLAY RECAP")[2], said
    # A reader's key that is taken out opens nothing any more.
    play("vector_store", vector_store="weaviate")
    assert ask("app1", f"{url}/v1/schema", token=CHOSEN["weaviate_read_only_key"])[0] == 401
    assert ask("app1", f"{url}/v1/schema", token=key)[0] == 200


def test_a_site_that_has_another_store_pays_nothing(play: Play) -> None:
    said = play("vector_store", vector_store="pgvector")
    assert "TASK [milvus" not in said
    assert "TASK [weaviate" not in said
