"""A tier's models side by side on one host."""

from collections import Counter

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rackwright.models.catalogue import project_models
from rackwright.models.devices import Gpus, Machine, parse_gpus
from rackwright.models.model import Models
from rackwright.models.serving import serving
from rackwright.site.paths import repository_root
from rackwright.tiers.load import load_tiers

MODELS = project_models()
TIERS = load_tiers(
    yaml.safe_load((repository_root() / "group_vars" / "all" / "tiers.yml").read_text(encoding="utf-8"))[
        "tiers"
    ]
)


def test_the_flagships_models_have_gpus_of_their_own(models: Models) -> None:
    result = serving(TIERS["flagship"], Machine(parse_gpus("h100:8"), 32_000), models)
    roles = {placed.role: placed for placed in result.placed}
    assert set(roles) == {"model", "more", "embedding"}
    assert result.missing == {}
    assert not set(roles["model"].gpus) & set(roles["more"].gpus), "vLLM reserves its GPUs"


def test_ollama_leaves_room_for_the_embedding_model(models: Models) -> None:
    result = serving(TIERS["entry"], Machine(parse_gpus("rtx-3090"), 8_000), models)
    assert [(placed.role, placed.gpus) for placed in result.placed] == [("model", (0,)), ("embedding", (0,))]


def test_an_embedding_model_without_a_gpu_is_in_memory(models: Models) -> None:
    result = serving(TIERS["enterprise"], Machine(parse_gpus("a100-40gb:2"), 8_000), models)
    embedding = next(placed for placed in result.placed if placed.role == "embedding")
    assert embedding.gpus == (), "vLLM has reserved both GPUs"
    assert embedding.plan.service.engine.cpu


def test_what_has_no_place_says_why(models: Models) -> None:
    result = serving(TIERS["enterprise"], Machine(parse_gpus("a100-40gb:2"), 100), models)
    assert "MiB" in result.missing["bge-m3"] or "no GPU has room" in result.missing["bge-m3"]
    nothing = serving(TIERS["entry"], Machine(None, 300), models)
    assert nothing.placed == ()
    assert set(nothing.missing) == {"qwen3-4b", "bge-m3"}


@given(
    st.sampled_from(sorted(TIERS)),
    st.one_of(st.none(), st.builds(Gpus, st.just("g"), st.integers(1, 8), st.integers(4_000, 200_000))),
    st.integers(0, 200_000),
    st.floats(0.4, 1.0),
)
@settings(max_examples=150)
def test_no_gpu_and_no_memory_is_given_twice(tier: str, gpus: Gpus | None, ram: int, share: float) -> None:
    result = serving(TIERS[tier], Machine(gpus, ram), MODELS, share)
    held: Counter[int] = Counter()
    memory = 0
    for placed in result.placed:
        for number in placed.gpus:
            held[number] += placed.plan.memory.total_mib
        memory += 0 if placed.gpus else placed.plan.memory.total_mib
    assert memory <= ram
    assert all(used <= gpus.vram_mib * share for used in held.values()) if gpus else not held
    assert all(number < gpus.count for number in held) if gpus else True


@pytest.mark.parametrize("tier", sorted(set(TIERS) - {"lab"}))
def test_the_recommended_machine_serves_all(models: Models, tier: str) -> None:
    size = TIERS[tier].machine.recommended
    gpus = Gpus("recommended", size.gpus, size.vram_gb * 1024) if size.gpus else None
    assert serving(TIERS[tier], Machine(gpus, size.memory_gb * 512), models).missing == {}
