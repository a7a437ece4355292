"""How engines become upstreams, and what the preflight of the role model_route refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
DEFAULTS = yaml.safe_load((ROOT / "roles/model_route/defaults/main.yml").read_text())


def instance(engine: str, host: int, *models: str, port: int = 8080) -> dict[str, Any]:
    return {"engine": engine, "base_url": f"http://192.0.2.{host}:{port}/v1", "models": list(models)}


GOOD: dict[str, Any] = {
    **DEFAULTS,
    "model_route_listen": {"api": {"address": "192.0.2.9", "port": 8443}},
    "model_route_engines": [instance("llama_cpp", 1, "tiny"), instance("llama_cpp", 2, "tiny")],
    "model_route_engine_keys": {"llama_cpp": "k" * 48, "ollama": ""},
    "model_route_api_key": "A-z_0" * 8,
}


@pytest.fixture(scope="module")
def plugin() -> ModuleType:
    import importlib.util  # noqa: PLC0415 - plugins are no package

    spec = importlib.util.spec_from_file_location("model_route", ROOT / "plugins/filter/model_route.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def upstreams(plugin: ModuleType) -> Callable[[Sequence[Mapping[str, Any]]], list[dict[str, Any]]]:
    found: Callable[[Sequence[Mapping[str, Any]]], list[dict[str, Any]]] = plugin.model_route_upstreams
    return found


def test_instances_of_a_model_are_together(upstreams: Callable[..., list[dict[str, Any]]]) -> None:
    (found,) = upstreams(GOOD["model_route_engines"])
    assert found == {
        "name": "model_tiny",
        "engine": "llama_cpp",
        "scheme": "http",
        "servers": ["192.0.2.1:8080", "192.0.2.2:8080"],
        "models": ["tiny"],
    }


def test_models_of_the_same_instances_share_an_upstream(
    upstreams: Callable[..., list[dict[str, Any]]],
) -> None:
    both = [instance("ollama", host, "qwen3:8b", "bge-m3") for host in (1, 2)]
    found = upstreams([*both, instance("vllm", 3, "big", port=8000)])
    assert [(entry["models"], len(entry["servers"])) for entry in found] == [
        (["bge-m3", "qwen3:8b"], 2),
        (["big"], 1),
    ]


NAMES = st.text("abZ09.:/-_", min_size=1, max_size=6)


@given(st.lists(st.tuples(st.integers(1, 9), st.lists(NAMES, max_size=4)), max_size=8))
def test_every_model_is_in_one_upstream_of_its_own_servers(
    upstreams: Callable[..., list[dict[str, Any]]], given_instances: list[tuple[int, list[str]]]
) -> None:
    found = upstreams([instance("llama_cpp", host, *models) for host, models in given_instances])
    wanted = {(model, f"192.0.2.{host}:8080") for host, models in given_instances for model in models}
    assert {
        (model, server) for entry in found for model in entry["models"] for server in entry["servers"]
    } == (wanted)
    models = [model for entry in found for model in entry["models"]]
    assert len(models) == len(set(models))
    names = [entry["name"] for entry in found]
    assert len(names) == len(set(names))
    assert all(len(entry["servers"]) == len(set(entry["servers"])) for entry in found)


def test_the_defaults_are_sound(plugin: ModuleType) -> None:
    assert plugin.model_route_problems(GOOD) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"model_route_rate": 0}, "model_route_rate"),
        ({"model_route_burst": "many"}, "model_route_burst"),
        ({"model_route_connect_timeout": True}, "model_route_connect_timeout"),
        ({"model_route_listen": {"api": {"address": "app1", "port": 8443}}}, "address"),
        ({"model_route_listen": {"api": {"address": "192.0.2.9", "port": 443}}}, "port"),
        ({"model_route_unlimited_networks": ["the app"]}, "model_route_unlimited_networks"),
        ({"model_route_api_key": "short"}, "model_route_api_key"),
        ({"model_route_api_key": "a" * 40 + '"; return 200'}, "model_route_api_key"),
        ({"model_route_engine_keys": {"vllm": 'a" b;' * 8}}, "model_route_engine_keys.vllm"),
        ({"model_route_engine_keys": {"vllm": "$request_uri" * 3}}, "model_route_engine_keys.vllm"),
        ({"model_route_engines": []}, "no engine names a model"),
        ({"model_route_engines": [instance("ollama", 1)]}, "no engine names a model"),
        ({"model_route_engines": [instance("ollama", 1, 'x"; }')]}, "a model's name"),
        ({"model_route_engines": [instance("ollama", 1, "a"), instance("vllm", 2, "a")]}, "different kinds"),
        ({"model_route_engines": [{"engine": "x", "base_url": "192.0.2.1", "models": ["a"]}]}, "OpenAI API"),
    ],
)
def test_what_is_refused(plugin: ModuleType, change: dict[str, Any], word: str) -> None:
    found = plugin.model_route_problems({**GOOD, **change})
    assert len(found) == 1
    assert word in found[0]


def test_keys_are_not_told(plugin: ModuleType) -> None:
    wrong = {"model_route_api_key": "veiled!" * 8, "model_route_engine_keys": {"vllm": "hidden $" * 4}}
    told = " ".join(plugin.model_route_problems({**GOOD, **wrong}))
    assert "veiled" not in told
    assert "hidden" not in told
