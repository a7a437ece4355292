"""Which engine's service runs where, and where its callers find it."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from rackwright.catalogue.findings import FindingsError
from rackwright.catalogue.flows import flows
from rackwright.catalogue.inference import (
    Serving,
    app_engine,
    app_model,
    engine_of,
    models_of,
    serving_of,
)
from rackwright.catalogue.load import load_catalogue
from rackwright.catalogue.plan import Machine, host_plan
from rackwright.catalogue.site import Site
from rackwright.errors import RackwrightError

MakeSite = Callable[..., Site]
MACHINE = Machine(memory_mb=32768, cpus=8)
NO_GPU: dict[str, Any] = {"hardware": {"gpus": []}}
TWO = {"inference": ["app1", "data1"]}


@pytest.mark.parametrize(
    ("variables", "tier_engine", "expected"),
    [
        ({}, "vllm", "vllm"),
        ({}, "", "llama_cpp"),
        ({"inference_engine": "localai"}, "vllm", "localai"),
        ({"inference_engine": ""}, "ollama", "ollama"),
        # Where the scan found no GPU, what needs one cannot run; Ollama can.
        (NO_GPU, "vllm", "llama_cpp"),
        (NO_GPU, "ollama", "ollama"),
        ({"hardware": {"gpus": [{"model": "L40S"}]}}, "vllm", "vllm"),
        # What the operator says is not second-guessed here: sizing refuses it with the reason.
        ({**NO_GPU, "inference_engine": "vllm"}, "vllm", "vllm"),
    ],
)
def test_the_engine_of_a_host(variables: dict[str, Any], tier_engine: str, expected: str) -> None:
    assert engine_of(variables, tier_engine) == expected


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, ((),)),
        ({"e_model": {"name": "a"}}, (("a",),)),
        ({"e_models": [{"name": "a"}, {"name": "b"}]}, (("a", "b"),)),
        ({"e_instances": [{"name": "a"}, {"name": "b"}]}, (("a",), ("b",))),
        ({"e_instances": []}, ((),)),
    ],
)
def test_the_models_of_a_host(variables: dict[str, Any], expected: object) -> None:
    assert models_of("e", variables) == expected


def test_each_host_runs_its_own_engine_and_no_other(make_site: MakeSite) -> None:
    site = make_site(TWO, serving={"app1": Serving("ollama", (("qwen",),)), "data1": Serving("llama_cpp")})
    assert [host.name for host in site.hosts_of("ollama")] == ["app1"]
    assert [host.name for host in site.hosts_of("llama_cpp")] == ["data1"]
    assert site.hosts_of("vllm") == ()
    assert "ollama" in site.services_of("app1")
    assert not {"llama_cpp", "vllm"} & set(site.services_of("app1"))


def test_only_the_port_of_the_engine_that_runs_is_open(make_site: MakeSite) -> None:
    site = make_site(serving={"app1": Serving("ollama", (("qwen",),))})
    opened = {(flow.service, flow.port) for flow in flows(site) if flow.dest == "app1"}
    assert ("ollama", 11434) in opened
    assert not {"llama_cpp", "vllm"} & {service for service, _ in opened}


def test_the_plan_names_every_instance_with_its_models(make_site: MakeSite) -> None:
    serving = {"app1": Serving("vllm", (("big",), ("big",), ("small",)))}
    plan = host_plan(make_site(serving=serving), "app1", MACHINE)
    assert plan["engine"] == "vllm"
    address = plan["address"]
    assert plan["inference"] == [
        {
            "host": "app1",
            "engine": "vllm",
            "address": address,
            "port": 8000 + number,
            "base_url": f"http://{address}:{8000 + number}/v1",
            "models": [model],
            "embeddings": [],
        }
        for number, model in enumerate(["big", "big", "small"])
    ]


def test_a_host_without_models_has_no_engine(make_site: MakeSite) -> None:
    plan = host_plan(make_site(), "data1", MACHINE)
    assert plan["engine"] is None
    assert [entry["engine"] for entry in plan["inference"]] == ["llama_cpp"]


def test_an_engine_that_no_service_is_is_refused(make_site: MakeSite) -> None:
    with pytest.raises(RackwrightError, match="inference_engine of app1 is 'olama'"):
        make_site(serving={"app1": Serving("olama")})


def test_an_engine_must_have_a_port_for_its_api(
    services: dict[str, Any], zone_policy: dict[str, Any]
) -> None:
    services["redis"] = {**services["redis"], "when": {"inference_engine": "redis"}}
    with pytest.raises(FindingsError) as caught:
        load_catalogue(services, zone_policy)
    assert [finding.variable for finding in caught.value.findings] == ["services.redis.ports"]


def test_further_ports_must_not_meet_others(services: dict[str, Any], zone_policy: dict[str, Any]) -> None:
    ports = {**services["app"]["ports"], "more": {"port": 9090, "further": 2, "callers": ["management"]}}
    services["app"] = {**services["app"], "ports": ports}
    with pytest.raises(FindingsError) as caught:
        load_catalogue(services, zone_policy)
    assert [finding.variable for finding in caught.value.findings] == ["services.app.ports.more_1.port"]


def instance(engine: str, *models: str, embeddings: Sequence[str] = ()) -> dict[str, object]:
    named = {"models": list(models), "embeddings": list(embeddings)}
    return {"host": engine, "engine": engine, "base_url": f"http://{engine}/v1", **named}


def test_the_app_asks_the_engines_of_its_model_alone() -> None:
    """It knows one model and has one key; another engine would refuse both."""
    instances = [
        instance("ollama", "bge-m3", "qwen3-8b", embeddings=["bge-m3"]),
        instance("vllm", "qwen3-32b"),
    ]
    assert app_model(instances) == "qwen3-8b"
    assert app_engine(instances) == {"model": "qwen3-8b", "engine": "ollama", "urls": ["http://ollama/v1"]}


def test_one_model_by_engines_of_several_kinds_wants_a_route() -> None:
    with pytest.raises(RackwrightError, match=r"several kinds \(ollama, vllm\)") as caught:
        app_engine([instance("ollama", "qwen3-8b"), instance("vllm", "qwen3-8b")])
    assert "model_route" in str(caught.value.hint)


def test_a_site_without_a_model_for_its_app_is_told() -> None:
    with pytest.raises(RackwrightError, match="names a model that answers"):
        app_engine([instance("ollama", "bge-m3", embeddings=["bge-m3"])])


def test_models_that_make_embeddings_are_known() -> None:
    models = [{"name": "bge-m3", "embedding": True}, {"name": "qwen3-8b"}]
    found = serving_of({"inference_engine": "ollama", "ollama_models": models}, "llama_cpp")
    assert (found.models, found.embeddings) == ((("bge-m3", "qwen3-8b"),), frozenset({"bge-m3"}))


def test_every_instance_is_asked_for_a_token(make_site: MakeSite) -> None:
    models = (("big", "older"), ("embed",))
    serving = {"app1": Serving("vllm", models, frozenset({"embed"}))}
    health = host_plan(make_site(serving=serving), "app1", MACHINE)["health"]
    found = [
        (entry["port"], entry["container"], entry["model"], entry["embedding"])
        for entry in health
        if entry["service"] == "vllm"
    ]
    assert found == [(8000, "vllm", "big", False), (8001, "vllm_1", "embed", True)]
