"""The models of the project are sound, and unsound ones are refused with the place and the rule."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from rackwright.catalogue.findings import FindingsError
from rackwright.errors import RackwrightError
from rackwright.models.catalogue import find_model, load_models
from rackwright.models.count import active_count, billions, count
from rackwright.models.model import Models
from rackwright.site.paths import repository_root
from rackwright.tiers.load import load_tiers

PLAN = (
    "qwen2.5-3b",
    "qwen2.5-7b",
    "qwen2.5-14b",
    "qwen2.5-32b",
    "deepseek-coder-v2-16b",
    "llama3.1-8b",
    "mistral-7b",
)
EMBEDDINGS = ("bge-m3", "nomic-embed-text", "mxbai-embed-large", "bge-large-zh-v1.5")


@pytest.fixture(scope="module")
def raw() -> dict[str, Any]:
    path = repository_root() / "group_vars" / "all" / "models.yml"
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


@pytest.mark.parametrize("key", [*PLAN, *EMBEDDINGS, "bge-reranker-v2-m3"])
def test_the_plans_models_are_there(models: Models, key: str) -> None:
    assert key in models.models


def test_every_model_of_a_tier_is_there_in_the_quantisation_that_it_names(models: Models) -> None:
    path = repository_root() / "group_vars" / "all" / "tiers.yml"
    tiers = load_tiers(yaml.safe_load(path.read_text(encoding="utf-8"))["tiers"])
    for tier in tiers.values():
        asked = tier.inference
        for key in (asked.model, asked.cpu_model, tier.embedding.model, *asked.more_models):
            assert key in models.models
        assert asked.quantisation in models.models[asked.model].builds
        assert asked.engine in models.quantisations[asked.quantisation].engines
        assert asked.context_tokens <= models.models[asked.model].context
        # Without a GPU a tier's model has to have a build that a processor serves.
        assert any(
            models.quantisations[name].format == "gguf" for name in models.models[asked.cpu_model].builds
        )


def test_parameters_are_those_of_the_architecture(models: Models) -> None:
    """The published totals are an independent check of every number of the architecture."""
    for key, model in models.models.items():
        assert billions(count(model).total) == pytest.approx(model.parameters.total, rel=0.025), key
        assert active_count(model).total <= count(model).total


def test_a_mixture_of_experts_uses_fewer_parameters_than_it_has(models: Models) -> None:
    model = models.models["deepseek-v3-671b"]
    assert billions(count(model).total) == pytest.approx(671.03, abs=0.05)
    assert billions(active_count(model).total) == pytest.approx(37.55, abs=0.1)


def test_compatibility_knows_every_method(models: Models) -> None:
    path = repository_root() / "group_vars" / "all" / "compatibility.yml"
    known = yaml.safe_load(path.read_text(encoding="utf-8"))
    methods = next(value["quantisations"] for value in known.values() if "quantisations" in value)
    used = {each.method for each in models.quantisations.values()} - {"fp32"}
    assert used <= set(methods)


def test_no_registry_is_named_in_the_data(raw: dict[str, Any]) -> None:
    for key, model in raw["models"].items():
        for name, build in model["builds"].items():
            assert "://" not in str(build), f"{key} {name}"


BAD = [
    (
        "a key with capitals",
        lambda d: d["models"].update({"Qwen3-8B": d["models"]["qwen3-8b"]}),
        "models.Qwen3-8B",
    ),
    ("no licence", lambda d: d["models"]["qwen3-8b"].pop("licence"), "models.qwen3-8b.licence"),
    ("a key that nothing reads", lambda d: d["models"]["qwen3-8b"].update(licnce="MIT"), "licnce"),
    (
        "text for a number",
        lambda d: d["models"]["qwen3-8b"]["architecture"].update(layers="36"),
        "architecture.layers",
    ),
    (
        "a wrong number of layers",
        lambda d: d["models"]["qwen3-8b"]["architecture"].update(layers=40),
        "parameters.total",
    ),
    (
        "a wrong vocabulary",
        lambda d: d["models"]["qwen3-8b"]["architecture"].update(vocabulary=32000),
        "parameters.total",
    ),
    (
        "KV heads that do not divide",
        lambda d: d["models"]["qwen3-8b"]["architecture"].update(kv_heads=5),
        "kv_heads",
    ),
    (
        "more window than layers",
        lambda d: d["models"]["qwen3-8b"]["architecture"].update(window={"tokens": 4096, "layers": 99}),
        "window",
    ),
    (
        "more active experts than there are",
        lambda d: d["models"]["qwen3-30b-a3b"]["architecture"]["experts"].update(active=200),
        "experts.active",
    ),
    (
        "active parameters of a dense model",
        lambda d: d["models"]["qwen3-30b-a3b"]["parameters"].update(active=30.5),
        "parameters.active",
    ),
    (
        "an unknown quantisation",
        lambda d: d["models"]["qwen3-8b"]["builds"].update(q9={"ollama": "qwen3:8b"}),
        "builds.q9",
    ),
    ("a build from nowhere", lambda d: d["models"]["qwen3-8b"]["builds"].update(awq={}), "builds.awq"),
    (
        "an address for a repository",
        lambda d: d["models"]["qwen3-8b"]["builds"].update(bf16={"hub": "https://example.org/a/b"}),
        "builds.bf16.hub",
    ),
    ("an unknown purpose", lambda d: d["models"]["qwen3-8b"].update(purposes=["talk"]), "purposes"),
    ("no models", lambda d: d.update(models=None), "models"),
]


@pytest.mark.parametrize(("change", "place"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_bad_data_is_refused_with_its_place(
    raw: dict[str, Any], change: Callable[[dict[str, Any]], object], place: str
) -> None:
    data = copy.deepcopy(raw)
    change(data)
    with pytest.raises(FindingsError) as caught:
        load_models(data["models"], data["model_quantisations"])
    assert any(place in finding.variable for finding in caught.value.findings)
    assert all(finding.rule and finding.hint for finding in caught.value.findings)


def test_an_unknown_model_names_its_neighbours(models: Models) -> None:
    with pytest.raises(RackwrightError) as caught:
        find_model(models, "qwen3-8")
    assert "qwen3-8b" in str(caught.value.hint)


def test_short_forms_are_written_out(models: Models) -> None:
    model = models.models["qwen3-8b"]
    assert (model.parameters.total, model.parameters.active) == (8.2, 8.2)
    finest = model.builds["q5_k_m"]
    assert finest.names() == {"huggingface": "Qwen/Qwen3-8B-GGUF", "modelscope": "Qwen/Qwen3-8B-GGUF"}
    assert finest.files == "*q5_k_m*.gguf"
    assert model.builds["q4_k_m"].names()["ollama"] == "qwen3:8b-q4_K_M"
    assert model.builds["awq"].names() == {
        "huggingface": "Qwen/Qwen3-8B-AWQ",
        "modelscope": "Qwen/Qwen3-8B-AWQ",
    }
    assert set(models.models["llama3.3-70b"].builds["awq"].names()) == {"huggingface"}
