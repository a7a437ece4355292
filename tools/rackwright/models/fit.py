"""Whether a model fits a machine: the finest quantisation on the fewest GPUs, or why not and what would."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from rackwright.models.catalogue import find_model
from rackwright.models.devices import Machine
from rackwright.models.engines import ENGINES, Engine
from rackwright.models.memory import Memory, Service, memory
from rackwright.models.model import Model, Models, Quantisation
from rackwright.models.speed import speed_bound
from rackwright.sizing.explained import Explained

# Sizes that engines are run with; vLLM wants the heads divided evenly.
TENSOR_PARALLEL = (1, 2, 4, 8)
# What an engine may take of a GPU's memory unless the site says otherwise: vLLM's default.
SHARE = 0.9
# Engines that are tried, in this order, when none is asked for.
_GPU_ENGINES = ("vllm", "ollama")
_CPU_ENGINES = ("ollama", "sentence_transformers")


@dataclass(frozen=True)
class Wish:
    """What is asked of a model.

    Attributes:
        context: Tokens of one request.
        parallel: Requests at the same time.
        engine: One of them; None for any.
        quantisation: Key of model_quantisations; None for the finest that fits.
        cache: Type of the cache.
        share: Of each GPU's memory, what the engine may take.
    """

    context: int = 8192
    parallel: int = 4
    engine: str | None = None
    quantisation: str | None = None
    cache: str = "f16"
    share: float = SHARE

    def within(self, model: Model) -> Wish:
        """Return the wish with no more context than the model was trained for."""
        return replace(self, context=min(self.context, model.context))


@dataclass(frozen=True)
class Plan:
    """How a model is served on a machine.

    Attributes:
        key: The model.
        service: Engine, quantisation, context, parallel requests, GPUs.
        memory: What the fullest GPU holds, or the machine's memory.
        available_mib: What there is for it.
        speed: Bound of the tokens a second of one request; None where the bandwidth is not known.
    """

    key: str
    service: Service
    memory: Memory
    available_mib: int
    speed: Explained | None

    @property
    def fits(self) -> bool:
        """Whether it is within what there is."""
        return self.memory.total_mib <= self.available_mib

    @property
    def free_mib(self) -> int:
        """What is left; negative where it does not fit."""
        return self.available_mib - self.memory.total_mib


@dataclass(frozen=True)
class Misfit:
    """Why a model cannot be served so.

    Attributes:
        key: The model.
        reason: In one sentence.
        nearest: The attempt that came nearest; None where there was nothing to try.
    """

    key: str
    reason: str
    nearest: Plan | None


def fit(models: Models, key: str, machine: Machine, wish: Wish) -> Plan | Misfit:
    """Return how a model fits a machine, or why it does not.

    Raises:
        RackwrightError: There is no model of this key.
    """
    model = find_model(models, key)
    if wish.context > model.context:
        reason = f"it was trained for {model.context} tokens, {wish.context} are asked for"
        return Misfit(key, reason, None)
    nearest: Plan | None = None
    for plan in attempts(models, key, machine, wish):
        if plan.fits:
            return plan
        if nearest is None or plan.free_mib > nearest.free_mib:
            nearest = plan
    return Misfit(key, _reason(models, model, machine, wish, nearest), nearest)


def attempts(models: Models, key: str, machine: Machine, wish: Wish) -> Iterator[Plan]:
    """Yield every way to serve a model that its engines and builds allow, the best first."""
    model = find_model(models, key)
    for name, engine in _choices(models, model, machine, wish):
        quantisation = models.quantisations[name]
        if wish.cache not in engine.cache_types:
            continue
        for gpus in gpu_counts(model, quantisation, engine, machine):
            service = Service(engine, name, wish.context, wish.parallel, wish.cache, gpus)
            yield _plan(models, key, service, machine, wish)


def gpu_counts(model: Model, quantisation: Quantisation, engine: Engine, machine: Machine) -> list[int]:
    """Return the numbers of GPUs that a model can be spread over, fewest first; [0] without GPUs."""
    if machine.gpus is None:
        return [0]
    if engine.split == "layer":
        return list(range(1, min(machine.gpus.count, model.architecture.layers) + 1))
    return [
        size for size in TENSOR_PARALLEL if size <= machine.gpus.count and divides(model, quantisation, size)
    ]


def divides(model: Model, quantisation: Quantisation, size: int) -> bool:
    """Tell whether a model's heads and matrices can be shared out evenly over so many GPUs.

    vLLM wants as many query heads on each GPU, KV heads that divide or are divided by the number of GPUs, and
    parts of the feed-forward matrices that are whole groups of a quantisation.
    """
    shape = model.architecture
    if size == 1:
        return True
    heads = shape.heads % size == 0
    kv_heads = shape.mla is not None or shape.kv_heads % size == 0 or size % shape.kv_heads == 0
    sizes = [shape.ffn] if not shape.experts or shape.experts.dense_layers else []
    if shape.experts:
        sizes.append(shape.experts.ffn)
    return heads and kv_heads and all(each % (size * quantisation.group) == 0 for each in sizes)


def fineness(quantisation: Quantisation) -> float:
    """Return the bits that count for a model's quality: 32 bring nothing over 16."""
    bits = (quantisation.bits + (quantisation.raised or quantisation.bits)) / 2
    return min(bits, 16.0) - (0.01 if bits > 16 else 0.0)  # noqa: PLR2004 - the bits that models are made with


def _choices(models: Models, model: Model, machine: Machine, wish: Wish) -> list[tuple[str, Engine]]:
    """Return quantisation and engine of every build that the machine can run, the finest first."""
    tried = _CPU_ENGINES if machine.gpus is None else _GPU_ENGINES
    engines = [ENGINES[wish.engine]] if wish.engine else [ENGINES[name] for name in tried]
    found = [
        (name, engine)
        for engine in engines
        for name in model.builds
        if engine.name in models.quantisations[name].engines
        and (wish.quantisation is None or name == wish.quantisation)
        and (machine.gpus is not None or engine.cpu)
        # FP8 weights are for GPUs that compute with FP8.
        and not (name == "fp8" and machine.gpus is not None and machine.gpus.fp8 is False)
    ]
    return sorted(found, key=lambda choice: -fineness(models.quantisations[choice[0]]))


def _plan(models: Models, key: str, service: Service, machine: Machine, wish: Wish) -> Plan:
    model = models.models[key]
    quantisation = models.quantisations[service.quantisation]
    available = machine.ram_mib if machine.gpus is None else int(machine.gpus.vram_mib * wish.share)
    return Plan(
        key,
        service,
        memory(model, quantisation, service),
        available,
        speed_bound(model, quantisation, service, machine.gpus),
    )


def _reason(models: Models, model: Model, machine: Machine, wish: Wish, nearest: Plan | None) -> str:
    if nearest is None:
        return _nothing_to_try(models, model, machine, wish)
    where = "of memory" if machine.gpus is None else "on each GPU"
    service = nearest.service
    on = f" over {service.gpus} GPUs" if service.gpus > 1 else ""
    return (
        f"{service.quantisation}{on} needs {nearest.memory.total_mib} MiB {where},"
        f" {nearest.available_mib} MiB are there"
    )


def _nothing_to_try(models: Models, model: Model, machine: Machine, wish: Wish) -> str:
    gpus, engine, wanted = machine.gpus, ENGINES[wish.engine] if wish.engine else None, wish.quantisation
    read = {
        name for name in model.builds if engine is None or engine.name in models.quantisations[name].engines
    }
    reasons = (
        (wanted not in (None, *model.builds), f"it has no build {wanted}; it has {', '.join(model.builds)}"),
        (engine and gpus is None and not engine.cpu, f"{wish.engine} needs a GPU, and the machine has none"),
        (gpus and gpus.fp8 is False and wanted == "fp8", f"{gpus and gpus.name} does not compute with FP8"),
        (not read, f"it has no build that {wish.engine} reads"),
        (wanted and wanted not in read, f"{wish.engine} does not read {wanted}"),
        (engine and wish.cache not in engine.cache_types, f"{wish.engine} has no cache of type {wish.cache}"),
        (gpus is None, f"none of its builds ({', '.join(model.builds)}) is served without a GPU here"),
    )
    fallback = "no engine serves a build of it on this machine with these settings"
    return next((text for applies, text in reasons if applies), fallback)
