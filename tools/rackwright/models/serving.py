"""All that a tier serves on one host: its model, the models beside it, the embedding model, and where."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rackwright.models.choice import Choice, choose_for
from rackwright.models.devices import Gpus, Machine
from rackwright.models.engines import ENGINES
from rackwright.models.fit import SHARE, Misfit, Plan, Wish, fit
from rackwright.models.model import Models
from rackwright.tiers.model import Tier

# Texts that are turned into vectors are pieces of documents, a few at a time.
EMBEDDING_CONTEXT = 8192
EMBEDDING_PARALLEL = 4


@dataclass(frozen=True)
class Placed:
    """A model and where it is.

    Attributes:
        role: `model`, `more` or `embedding`.
        plan: How it is served.
        gpus: Numbers of its GPUs, from 0; none where it is in the machine's memory.
    """

    role: str
    plan: Plan
    gpus: tuple[int, ...]


@dataclass(frozen=True)
class Serving:
    """What a host serves.

    Attributes:
        choice: How the tier's model was chosen.
        placed: All models that have a place.
        missing: Model -> why it has none.
    """

    choice: Choice
    placed: tuple[Placed, ...]
    missing: dict[str, str]


def serving(tier: Tier, machine: Machine, models: Models, share: float = SHARE) -> Serving:
    """Return what a tier serves on a machine.

    An engine that shares every layer out (vLLM) reserves its share of a GPU as a whole; the others leave
    what they do not need to the models after them.

    Args:
        tier: The tier.
        machine: The machine; its `ram_mib` is for models that are on no GPU.
        models: The models that may be served.
        share: Of each GPU's memory, what engines may take.

    Raises:
        RackwrightError: The tier names a model that there is none of.
    """
    room = _Room(machine, share)
    choice = choose_for(tier, machine, models, share)
    placed: list[Placed] = []
    missing: dict[str, str] = {}
    if choice.plan is None:
        missing[choice.wanted] = choice.reasons[0]
    else:
        placed.append(Placed("model", choice.plan, room.take(choice.plan)))
    asked = tier.inference
    beside = [("more", key, Wish(asked.context_tokens, asked.parallel_requests)) for key in asked.more_models]
    beside.append(("embedding", tier.embedding.model, Wish(EMBEDDING_CONTEXT, EMBEDDING_PARALLEL)))
    for role, key, wish in beside:
        near = wish.within(models.models[key])
        result: Plan | Misfit = Misfit(key, "", None)
        if role == "more":
            # As the tier serves its first model, where this one has such a build.
            same = replace(near, engine=asked.engine, quantisation=asked.quantisation)
            result = room.find(models, key, same)
        if isinstance(result, Misfit):
            result = room.find(models, key, near)
        if isinstance(result, Misfit):
            missing[key] = result.reason
        else:
            placed.append(Placed(role, result, room.take(result)))
    return Serving(choice, tuple(placed), missing)


class _Room:
    """What is left of a machine."""

    def __init__(self, machine: Machine, share: float) -> None:
        self._machine = machine
        gpus = machine.gpus
        self._free = [int(gpus.vram_mib * share)] * gpus.count if gpus else []
        self._ram = machine.ram_mib

    def find(self, models: Models, key: str, wish: Wish) -> Plan | Misfit:
        """Return a place for a model: on the fewest GPUs that have room, else in the machine's memory."""
        reasons: list[str] = []
        wish = replace(wish, share=1.0)
        ordered = sorted(self._free, reverse=True)
        for count, free in enumerate(ordered, 1):
            if self._machine.gpus is None or free <= 0:
                break
            gpus: Gpus = replace(self._machine.gpus, count=count, vram_mib=free)
            found = fit(models, key, Machine(gpus, 0), wish)
            if isinstance(found, Plan):
                return found
            reasons = [found.reason]
        if ordered and not reasons:
            reasons = ["no GPU has room left"]
        found = fit(models, key, Machine(None, self._ram), wish)
        if isinstance(found, Plan):
            return found
        return Misfit(key, "; without a GPU: ".join([*reasons, found.reason]), found.nearest)

    def take(self, plan: Plan) -> tuple[int, ...]:
        """Take a plan's room; return the numbers of its GPUs."""
        used = plan.memory.total_mib
        if plan.service.gpus == 0:
            self._ram -= used
            return ()
        order = sorted(range(len(self._free)), key=lambda number: -self._free[number])
        chosen = tuple(sorted(order[: plan.service.gpus]))
        whole = ENGINES[plan.service.engine.name].split == "tensor"
        for number in chosen:
            self._free[number] = 0 if whole else self._free[number] - used
        return chosen
