"""The planner's promises over many machines, models and wishes."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackwright.models.catalogue import project_models
from rackwright.models.devices import Gpus, Machine, parse_gpus
from rackwright.models.engines import ENGINES
from rackwright.models.fit import TENSOR_PARALLEL, Misfit, Plan, Wish, attempts, divides, fit
from rackwright.models.limits import limits
from rackwright.models.memory import Service, cache_bytes_per_token, memory
from rackwright.models.model import Models
from rackwright.models.refusal import changes

MODELS = project_models()
KEYS = st.sampled_from(sorted(MODELS.models))
BUILDS = st.sampled_from(
    sorted(
        (key, name, engine)
        for key, model in MODELS.models.items()
        for name in model.builds
        for engine in MODELS.quantisations[name].engines
    )
)
CONTEXTS = st.integers(1, 128).map(lambda step: step * 256)
MACHINES = st.one_of(
    st.builds(
        lambda count, vram, fp8: Machine(Gpus("test", count, vram, 900, fp8), 0),
        st.integers(1, 8),
        st.integers(2_000, 200_000),
        st.sampled_from([True, False, None]),
    ),
    st.builds(lambda ram: Machine(None, ram), st.integers(512, 1_000_000)),
)
WISHES = st.builds(
    Wish,
    context=CONTEXTS,
    parallel=st.integers(1, 64),
    engine=st.sampled_from([None, "vllm", "ollama", "llama_cpp"]),
    quantisation=st.sampled_from([None, "q4_k_m", "awq", "bf16", "fp8"]),
    cache=st.sampled_from(["f16", "q8_0", "fp8"]),
    share=st.floats(0.3, 1.0),
)


def need(
    key: str, name: str, engine: str, context: int, parallel: int, cache: str = "f16", gpus: int = 1
) -> int:
    service = Service(ENGINES[engine], name, context, parallel, cache, gpus)
    return memory(MODELS.models[key], MODELS.quantisations[name], service).total_mib


@given(BUILDS, CONTEXTS, CONTEXTS, st.integers(1, 32), st.integers(1, 32))
@settings(max_examples=400)
def test_memory_grows_with_context_and_requests(
    build: tuple[str, str, str], one: int, other: int, few: int, many: int
) -> None:
    (low, high), (few, many) = sorted((one, other)), sorted((few, many))
    assert need(*build, low, few) <= need(*build, high, few) <= need(*build, high, many)


@given(BUILDS, CONTEXTS, st.integers(1, 32))
@settings(max_examples=300)
def test_a_coarser_cache_takes_no_more(build: tuple[str, str, str], context: int, parallel: int) -> None:
    coarse = need(*build, context, parallel, "q8_0")
    assert need(*build, context, parallel, "fp8") <= coarse <= need(*build, context, parallel, "f16")


@given(KEYS, CONTEXTS)
@settings(max_examples=200)
def test_more_bits_take_more_memory(key: str, context: int) -> None:
    order = ["q4_k_m", "q5_k_m", "q6_k", "q8_0", "fp16"]
    sizes = [need(key, name, "ollama", context, 1) for name in order if name in MODELS.models[key].builds]
    assert sizes == sorted(sizes)


@given(BUILDS, CONTEXTS, st.integers(1, 16), st.sampled_from(TENSOR_PARALLEL))
@settings(max_examples=300)
def test_the_fullest_gpu_of_several_holds_less_than_one_alone(
    build: tuple[str, str, str], context: int, parallel: int, gpus: int
) -> None:
    # But for what each GPU has of its own: the buffers between them.
    assert need(*build, context, parallel, gpus=gpus) <= need(*build, context, parallel) + 307


@given(KEYS, MACHINES, WISHES)
@settings(max_examples=1500)
def test_a_plan_never_exceeds_the_machine_and_is_what_was_asked_for(
    key: str, machine: Machine, wish: Wish
) -> None:
    plan = fit(MODELS, key, machine, wish)
    if isinstance(plan, Misfit):
        assert plan.reason
        return
    there = machine.gpus.vram_mib * wish.share if machine.gpus else machine.ram_mib
    assert plan.memory.total_mib <= there
    assert plan.memory.total_mib == sum(plan.memory.mib(part) for part in plan.memory.parts)
    assert (plan.service.context, plan.service.parallel) == (wish.context, wish.parallel)
    assert wish.engine in (None, plan.service.engine.name)
    assert wish.quantisation in (None, plan.service.quantisation)
    assert plan.service.quantisation in MODELS.models[key].builds
    assert plan.service.gpus <= (machine.gpus.count if machine.gpus else 0)
    assert plan.service.context <= MODELS.models[key].context
    shape = MODELS.models[key].architecture
    assert shape.heads % plan.service.tensor_parallel == 0


@given(KEYS, MACHINES, WISHES)
@settings(max_examples=800)
def test_every_change_that_a_refusal_names_is_accepted(key: str, machine: Machine, wish: Wish) -> None:
    misfit = fit(MODELS, key, machine, wish)
    if isinstance(misfit, Plan):
        return
    for change in changes(MODELS, misfit, machine, wish):
        plan = fit(MODELS, change.key, change.machine, change.wish)
        assert isinstance(plan, Plan), change.text
        assert plan == change.plan


@given(KEYS, MACHINES, CONTEXTS, st.integers(1, 16))
@settings(max_examples=400)
def test_a_refusal_of_any_engine_names_a_change(
    key: str, machine: Machine, context: int, parallel: int
) -> None:
    wish = Wish(context, parallel).within(MODELS.models[key])
    misfit = fit(MODELS, key, machine, wish)
    if isinstance(misfit, Misfit):
        assert changes(MODELS, misfit, machine, wish)


@given(KEYS, MACHINES, CONTEXTS)
@settings(max_examples=400)
def test_more_memory_and_more_gpus_never_take_a_plan_away(key: str, machine: Machine, context: int) -> None:
    wish = Wish(context, 4).within(MODELS.models[key])
    if isinstance(fit(MODELS, key, machine, wish), Misfit):
        return
    if machine.gpus is None:
        assert isinstance(fit(MODELS, key, replace(machine, ram_mib=machine.ram_mib * 2), wish), Plan)
        return
    larger = replace(machine.gpus, vram_mib=machine.gpus.vram_mib * 2)
    more = replace(machine.gpus, count=machine.gpus.count + 1)
    for gpus in (larger, more):
        assert isinstance(fit(MODELS, key, replace(machine, gpus=gpus), wish), Plan)


@given(KEYS, MACHINES)
@settings(max_examples=150)
def test_limits_are_reached_and_not_passed(key: str, machine: Machine) -> None:
    wish = Wish(1024, 2).within(MODELS.models[key])
    plan = fit(MODELS, key, machine, wish)
    if isinstance(plan, Misfit):
        return
    bounds = limits(MODELS, plan, machine, wish.share)
    model, build = MODELS.models[key], (key, plan.service.quantisation, plan.service.engine.name)
    gpus = plan.service.gpus
    assert need(*build, bounds.context, 2, gpus=gpus) <= plan.available_mib
    assert need(*build, wish.context, bounds.parallel, gpus=gpus) <= plan.available_mib
    if bounds.context + 256 <= model.context:
        assert need(*build, bounds.context + 256, 2, gpus=gpus) > plan.available_mib
    if bounds.parallel < 1024:
        assert need(*build, wish.context, bounds.parallel + 1, gpus=gpus) > plan.available_mib


@pytest.mark.parametrize(
    ("key", "name", "size", "possible"),
    [
        ("qwen3-32b", "awq", 8, True),
        ("qwen2.5-7b", "bf16", 8, False),  # 28 heads
        ("qwen2.5-7b", "bf16", 4, True),
        ("qwen2.5-72b", "gptq-int4", 8, False),  # 29568 / 8 is no multiple of a group of 128
        ("qwen2.5-72b", "bf16", 8, True),
        ("qwen3-30b-a3b", "fp8", 8, False),  # experts of 768: 96 each
        ("qwen3-30b-a3b", "bf16", 8, True),  # 4 KV heads, each held by two GPUs
        ("llama4-scout-109b", "bf16", 8, True),
        ("deepseek-v3-671b", "fp8", 8, True),
    ],
)
def test_what_can_be_shared_out(models: Models, key: str, name: str, size: int, possible: bool) -> None:
    assert divides(models.models[key], models.quantisations[name], size) is possible


@pytest.mark.parametrize(
    ("key", "name", "engine", "bytes_per_token"),
    [
        ("llama3.1-8b", "bf16", "vllm", 131072),
        ("qwen3-8b", "bf16", "vllm", 147456),
        ("qwen3-32b", "bf16", "vllm", 262144),
        # Compressed: 512 + 64 numbers for each of 61 layers; in full: 128 heads of 192 + 128.
        ("deepseek-v3-671b", "fp8", "vllm", 70272),
        ("deepseek-v3-671b", "q4_k_m", "ollama", 4997120),
        # 16 of 64 layers keep a cache, the others a state.
        ("qwen3.5-27b", "bf16", "vllm", 65536),
        # 12 of 48 layers see everything.
        ("llama4-scout-109b", "bf16", "vllm", 49152),
        ("bge-m3", "fp16", "ollama", 0),
    ],
)
def test_cache_of_a_token(models: Models, key: str, name: str, engine: str, bytes_per_token: int) -> None:
    service = Service(ENGINES[engine], name, 8192, 1, "f16", 1)
    assert cache_bytes_per_token(models.models[key], service) == bytes_per_token


def test_a_window_stops_growing(models: Models) -> None:
    def cache(context: int) -> int:
        service = Service(ENGINES["vllm"], "bf16", context, 1, "f16", 8)
        return memory(models.models["llama4-scout-109b"], models.quantisations["bf16"], service).mib("cache")

    assert cache(8192) * 2 == pytest.approx(cache(16384) + 36 * 4096 * 8192 / 8 / 2**20, abs=2)


def test_the_first_attempt_is_the_finest_on_the_fewest_gpus(models: Models) -> None:
    found = list(attempts(models, "qwen3-8b", Machine(parse_gpus("a100-40gb:2"), 0), Wish()))
    assert (found[0].service.quantisation, found[0].service.gpus) == ("bf16", 1)
    assert "fp8" not in {plan.service.quantisation for plan in found}, "an A100 does not compute with FP8"
    assert "fp8" in {
        plan.service.quantisation
        for plan in attempts(models, "qwen3-8b", Machine(parse_gpus("h100"), 0), Wish())
    }


@pytest.mark.parametrize(
    ("wish", "machine", "reason"),
    [
        (Wish(context=99_999), Machine(Gpus("g", 1, 99_999), 0), "it was trained for 40960 tokens"),
        (Wish(quantisation="q4_0"), Machine(Gpus("g", 1, 99_999), 0), "it has no build q4_0"),
        (Wish(engine="vllm"), Machine(None, 99_999), "vllm needs a GPU"),
        (
            Wish(engine="vllm", quantisation="q4_k_m"),
            Machine(Gpus("g", 1, 99_999), 0),
            "vllm does not read q4_k_m",
        ),
        (
            Wish(quantisation="fp8"),
            Machine(parse_gpus("rtx-3090"), 0),
            "GeForce RTX 3090 does not compute with FP8",
        ),
        (
            Wish(engine="vllm", cache="q8_0"),
            Machine(Gpus("g", 1, 99_999), 0),
            "vllm has no cache of type q8_0",
        ),
        (Wish(), Machine(Gpus("g", 1, 4_000), 0), "q4_k_m needs"),
    ],
)
def test_a_refusal_says_why(models: Models, wish: Wish, machine: Machine, reason: str) -> None:
    result = fit(models, "qwen3-8b", machine, wish)
    assert isinstance(result, Misfit)
    assert result.reason.startswith(reason)
