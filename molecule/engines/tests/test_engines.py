"""The roles ollama and vllm, against the doubles of both: what runs, who reaches it, what it may take."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from conftest import Ask
from testinfra.host import Host

from rackwright.site.inventory import Inventory

Connect = Callable[[str], Host]
Plan = Callable[[str], Mapping[str, Any]]
QUESTION = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 3}
OLLAMA = ("ollama1", "ollama")
VLLM = [("vllm1", "vllm"), ("vllm1", "vllm_1")]


def inspected(connect: Connect, host: str, container: str) -> Mapping[str, Any]:
    found: list[dict[str, Any]] = json.loads(connect(host).check_output(f"docker inspect {container}"))
    return found[0]


def endpoint(plan: Plan, host: str, number: int = 0) -> str:
    entries = [entry for entry in plan(host)["inference"] if entry["host"] == host]
    return str(entries[number]["base_url"])


@pytest.fixture(scope="session")
def key(inventory: Inventory) -> str:
    return str(inventory.hosts["vllm1"].variables["vault_vllm_api_key"])


def test_what_runs_is_a_double(connect: Connect) -> None:
    """So that nobody takes what this scenario shows for the engines themselves."""
    for host, container in (OLLAMA, *VLLM):
        assert inspected(connect, host, container)["Config"]["Labels"]["rackwright.double"] == "engines"


def test_each_host_runs_its_engine_alone(connect: Connect) -> None:
    names = "docker ps --format '{{.Names}}' | sort"
    assert connect("ollama1").check_output(names).split() == ["ollama"]
    assert connect("vllm1").check_output(names).split() == ["vllm", "vllm_1"]


@pytest.mark.parametrize("stream", [False, True])
def test_ollama_answers_on_its_zone_address(ask: Ask, plan: Plan, stream: bool) -> None:
    body = {"model": "chat-double", "stream": stream, **QUESTION}
    status, text = ask("ollama1", f"{endpoint(plan, 'ollama1')}/chat/completions", body)
    assert status == 200
    assert text.endswith("data: [DONE]") if stream else json.loads(text)["usage"]["completion_tokens"] == 3


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("number", [0, 1])
def test_every_instance_of_vllm_answers_with_the_key(
    ask: Ask, plan: Plan, key: str, number: int, stream: bool
) -> None:
    body = {"model": "served-double", "stream": stream, **QUESTION}
    url = f"{endpoint(plan, 'vllm1', number)}/chat/completions"
    status, text = ask("vllm1", url, body, key)
    assert status == 200
    assert text.endswith("data: [DONE]") if stream else json.loads(text)["usage"]["completion_tokens"] == 3
    assert ask("vllm1", url, body)[0] == 401


def test_a_model_that_does_not_exist_is_refused(ask: Ask, plan: Plan, key: str) -> None:
    for host in ("ollama1", "vllm1"):
        status, text = ask(
            host, f"{endpoint(plan, host)}/chat/completions", {"model": "absent", **QUESTION}, key
        )
        assert status == 404
        assert "absent" in text


def test_ollama_has_its_models_as_they_were_defined(ask: Ask, plan: Plan) -> None:
    api = endpoint(plan, "ollama1").removesuffix("/v1")
    _, text = ask("ollama1", f"{api}/api/tags")
    assert {model["name"] for model in json.loads(text)["models"]} == {
        "chat-double:latest",
        "embed-double:v1",
    }
    _, text = ask("ollama1", f"{api}/api/show", {"model": "chat-double"})
    shown = json.loads(text)
    assert shown["template"] == "{{ .Prompt }}"
    assert '"<|im_end|>"' in shown["parameters"]
    status, text = ask("ollama1", f"{api}/v1/embeddings", {"model": "embed-double:v1", "input": "a"})
    assert status == 200
    assert json.loads(text)["data"][0]["embedding"]


def test_a_models_file_takes_its_place_once(connect: Connect) -> None:
    """The store's blob is a second name of the file that was brought, not a copy."""
    count = connect("ollama1").check_output(
        "stat -c %h /var/lib/rackwright/ollama/models/blobs/sha256-* | sort -u"
    )
    assert int(count) > 1


@pytest.mark.parametrize(("host", "container"), [OLLAMA, *VLLM])
def test_it_is_published_on_the_zone_address_alone(
    connect: Connect, plan: Plan, host: str, container: str
) -> None:
    ports = inspected(connect, host, container)["HostConfig"]["PortBindings"]
    assert {binding["HostIp"] for bindings in ports.values() for binding in bindings} == {
        plan(host)["address"]
    }


def test_the_firewall_lets_the_callers_in_and_nobody_else(plan: Plan) -> None:
    for host, service in (OLLAMA, VLLM[0]):
        rules = [rule for rule in plan(host)["firewall"]["inbound"] if rule["service"] == service]
        assert rules
        # The app, the model route where there is one, monitoring.
        allowed = {f"{plan(host)['addresses'][name]}/32" for name in ("app1", "ops1")}
        assert all(set(rule["sources"]) == allowed for rule in rules)
        assert not [rule for rule in plan(host)["firewall"]["inbound"] if rule["service"] == "llama_cpp"]


def test_ollama_has_the_limits_of_the_solver(connect: Connect, plan: Plan) -> None:
    settings = plan("ollama1")["settings"]["ollama"]
    found = inspected(connect, *OLLAMA)
    assert found["HostConfig"]["Memory"] == settings["memory_mb"] * 2**20
    assert found["HostConfig"]["MemorySwap"] == found["HostConfig"]["Memory"]
    environment = dict(entry.split("=", 1) for entry in found["Config"]["Env"])
    assert environment["OLLAMA_NUM_PARALLEL"] == str(settings["num_parallel"])
    assert environment["OLLAMA_MAX_LOADED_MODELS"] == str(settings["max_loaded_models"])
    assert environment["OLLAMA_CONTEXT_LENGTH"] == str(settings["context_length"])
    assert (environment["OLLAMA_KEEP_ALIVE"], environment["OLLAMA_KV_CACHE_TYPE"]) == ("24h", "q8_0")


def test_vllms_instances_share_what_the_solver_gave(connect: Connect, plan: Plan) -> None:
    settings = plan("vllm1")["settings"]["vllm"]
    found = [inspected(connect, host, container) for host, container in VLLM]
    assert sum(entry["HostConfig"]["Memory"] for entry in found) <= settings["memory_mb"] * 2**20
    assert all(entry["HostConfig"]["Memory"] == settings["memory_mb"] // 2 * 2**20 for entry in found)
    for limits in (entry["HostConfig"] for entry in found):
        assert 64 * 2**20 <= limits["ShmSize"] <= limits["Memory"] // 4
    lengths = [entry["Config"]["Cmd"][entry["Config"]["Cmd"].index("--max-model-len") + 1] for entry in found]
    assert lengths == [str(settings["max_model_len"]), "512"]


def test_no_key_is_in_a_list_of_processes(connect: Connect, key: str) -> None:
    assert key not in connect("vllm1").check_output("ps -eo args")
    for container in ("vllm", "vllm_1"):
        assert key not in connect("vllm1").check_output(f"docker inspect -f '{{{{json .Args}}}}' {container}")


@pytest.mark.parametrize(("host", "container"), [OLLAMA, *VLLM])
def test_it_is_shut_in(connect: Connect, host: str, container: str) -> None:
    found = inspected(connect, host, container)["HostConfig"]
    assert found["ReadonlyRootfs"]
    assert found["CapDrop"] == ["ALL"]
    assert found["RestartPolicy"]["Name"] == "unless-stopped"
    assert found["LogConfig"]["Config"]["max-size"]


@pytest.mark.parametrize(("host", "container"), [OLLAMA, VLLM[0]])
def test_a_crash_is_mended_by_docker(connect: Connect, host: str, container: str) -> None:
    machine = connect(host)
    before = inspected(connect, host, container)["State"]
    machine.check_output(f"kill -KILL {before['Pid']}")
    deadline = time.monotonic() + 60
    state: Mapping[str, Any] = {}
    while time.monotonic() < deadline:
        state = inspected(connect, host, container)["State"]
        if state["Pid"] not in {0, before["Pid"]} and state["Health"]["Status"] == "healthy":
            break
        time.sleep(0.5)
    assert state["Health"]["Status"] == "healthy"
    assert inspected(connect, host, container)["RestartCount"] >= 1
