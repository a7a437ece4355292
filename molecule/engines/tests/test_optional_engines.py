"""The roles fastchat and localai, against the doubles of both: what runs, and who reaches it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from conftest import Ask
from testinfra.host import Host

from rackwright.site.inventory import Inventory

Connect = Callable[[str], Host]
Plan = Callable[[str], Mapping[str, Any]]
QUESTION = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 3}
HOSTS = ("fastchat1", "localai1")


def key_of(inventory: Inventory, host: str) -> str:
    return str(inventory.hosts[host].variables[f"vault_{host.removesuffix('1')}_api_key"])


def endpoint(plan: Plan, host: str) -> str:
    return next(str(entry["base_url"]) for entry in plan(host)["inference"] if entry["host"] == host)


def containers(connect: Connect, host: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        connect(host).check_output("docker inspect $(docker ps --quiet)")
    )
    return found


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("stream", [False, True])
def test_it_answers_on_its_zone_address_with_the_key(
    ask: Ask, plan: Plan, inventory: Inventory, host: str, stream: bool
) -> None:
    url, key = f"{endpoint(plan, host)}/chat/completions", key_of(inventory, host)
    body = {"model": "chat-double", "stream": stream, **QUESTION}
    status, text = ask(host, url, body, key)
    assert status == 200
    assert (
        text.rstrip().endswith("data: [DONE]")
        if stream
        else json.loads(text)["usage"]["completion_tokens"] == 3
    )
    assert ask(host, url, body)[0] == 401


@pytest.mark.parametrize(("host", "status"), [("fastchat1", 400), ("localai1", 404)])
def test_a_model_that_does_not_exist_is_refused(
    ask: Ask, plan: Plan, inventory: Inventory, host: str, status: int
) -> None:
    url = f"{endpoint(plan, host)}/chat/completions"
    assert ask(host, url, {"model": "absent", **QUESTION}, key_of(inventory, host))[0] == status


@pytest.mark.parametrize("host", HOSTS)
def test_it_makes_embeddings(ask: Ask, plan: Plan, inventory: Inventory, host: str) -> None:
    body = {"model": "embed-double", "input": "hello"}
    status, text = ask(host, f"{endpoint(plan, host)}/embeddings", body, key_of(inventory, host))
    assert status == 200
    assert json.loads(text)["data"][0]["embedding"]


@pytest.mark.parametrize("host", HOSTS)
def test_only_the_api_is_published_and_only_on_the_zone_address(
    connect: Connect, plan: Plan, host: str
) -> None:
    published = [
        (binding["HostIp"], int(binding["HostPort"]))
        for container in containers(connect, host)
        for bindings in (container["HostConfig"]["PortBindings"] or {}).values()
        for binding in bindings
    ]
    assert published == [(plan(host)["address"], 8000 if host == "fastchat1" else 8080)]


@pytest.mark.parametrize("host", HOSTS)
def test_no_key_is_in_arguments_environment_or_log(connect: Connect, inventory: Inventory, host: str) -> None:
    key = key_of(inventory, host)
    assert key not in json.dumps(containers(connect, host))
    assert key not in connect(host).check_output("ps -eo args")
    assert key not in connect(host).check_output("for c in $(docker ps -q); do docker logs $c 2>&1; done")


@pytest.mark.parametrize("host", HOSTS)
def test_it_is_shut_in_and_within_its_budget(connect: Connect, plan: Plan, host: str) -> None:
    found = [container["HostConfig"] for container in containers(connect, host)]
    for limits in found:
        assert limits["ReadonlyRootfs"]
        assert limits["CapDrop"] == ["ALL"]
        assert limits["MemorySwap"] == limits["Memory"]
    settings = plan(host)["settings"][host.removesuffix("1")]
    assert sum(limits["Memory"] for limits in found) <= settings["memory_mb"] * 2**20


def test_fastchats_workers_have_tokens_to_show(connect: Connect) -> None:
    workers = [one for one in containers(connect, "fastchat1") if one["Name"].startswith("/fastchat-worker-")]
    assert len(workers) == 2
    assert {worker["State"]["Health"]["Status"] for worker in workers} == {"healthy"}
    for worker in workers:
        connect("fastchat1").check_output(f"docker exec {worker['Name'].lstrip('/')} test -e /tmp/proved")
