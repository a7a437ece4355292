"""The model that a tier serves on a machine: its own where that fits, else the next smaller, else none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from rackwright.hardware.model import Hardware
from rackwright.models.devices import Machine, machine_of
from rackwright.models.engines import ENGINES
from rackwright.models.fit import SHARE, Plan, Wish, fit
from rackwright.models.model import Models
from rackwright.models.refusal import Change, changes
from rackwright.models.related import smaller_models
from rackwright.tiers.model import Tier

# Without a GPU each token reads the weights from ordinary memory: a small build answers much faster.
CPU_QUANTISATION = "q4_k_m"
# Of a machine's memory, what a model may take where no budget says it.
RAM_SHARE = 0.5


@dataclass(frozen=True)
class Choice:
    """What is served.

    Attributes:
        wanted: The tier's model for such a machine.
        plan: How the chosen model is served; None where nothing fits.
        reasons: Why, in sentences.
        warnings: What is other than the tier asks for.
        changes: Where the tier's model does not fit: what would let it, the smallest change first.
    """

    wanted: str
    plan: Plan | None
    reasons: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()

    @property
    def key(self) -> str | None:
        """The model that is served; None where none is."""
        return self.plan.key if self.plan else None


def choose(
    tier: Tier, hardware: Hardware, models: Models, ram_mib: int | None = None, share: float = SHARE
) -> Choice:
    """Return what a tier serves on a scanned host.

    Args:
        tier: The tier.
        hardware: The host.
        models: The models that may be served.
        ram_mib: The inference service's budget of the host's memory; half of the memory by default.
        share: Of each GPU's memory, what the engine may take.
    """
    ram = round(hardware.memory_mb * RAM_SHARE) if ram_mib is None else ram_mib
    return choose_for(tier, machine_of(hardware, ram), models, share)


def choose_for(tier: Tier, machine: Machine, models: Models, share: float = SHARE) -> Choice:
    """Return what a tier serves on a machine.

    Raises:
        RackwrightError: The tier's model is none of the models.
    """
    asked = tier.inference
    wanted = asked.model if machine.gpus else asked.cpu_model
    wish = Wish(asked.context_tokens, asked.parallel_requests, asked.engine, asked.quantisation, share=share)
    where = machine.gpus.text if machine.gpus else f"no GPU, {machine.ram_mib} MiB of memory"
    if machine.gpus is None:
        engine = asked.engine if ENGINES[asked.engine].cpu else "ollama"
        wish = replace(wish, engine=engine, quantisation=CPU_QUANTISATION)
    first = fit(models, wanted, machine, wish)
    if isinstance(first, Plan):
        return Choice(wanted, first, (f"the tier asks for {wanted} on {where}: it fits", _sentence(first)))
    helps = tuple(changes(models, first, machine, wish))
    refusal = f"{wanted} as the tier asks for it does not fit {where}: {first.reason}"
    for key, tried in _ways(models, wanted, wish):
        plan = fit(models, key, machine, tried)
        if isinstance(plan, Plan):
            taken = f"{key} in {plan.service.quantisation} by {plan.service.engine.name} is taken instead"
            return Choice(wanted, plan, (_sentence(plan),), (refusal, taken), helps)
    return Choice(wanted, None, (refusal, "no smaller model fits either"), changes=helps)


def _ways(models: Models, wanted: str, wish: Wish) -> Iterator[tuple[str, Wish]]:
    """Yield what to try, the nearest to the wish first: the model in other builds, then smaller models."""
    for key in (wanted, *smaller_models(models, wanted)):
        near = wish.within(models.models[key])
        if near.context < wish.context:
            continue
        yield key, wish
        yield key, replace(wish, quantisation=None)
        yield key, replace(wish, quantisation=None, engine=None)


def _sentence(plan: Plan) -> str:
    service = plan.service
    spread = f" over {service.gpus} GPUs" if service.gpus > 1 else ""
    return (
        f"{plan.key} in {service.quantisation} by {service.engine.name}{spread},"
        f" {service.parallel} requests of {service.context} tokens:"
        f" {plan.memory.total_mib} of {plan.available_mib} MiB"
    )
