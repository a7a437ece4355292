"""How far a plan's settings can go on its machine: the longest context, the most requests at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rackwright.models.devices import Machine
from rackwright.models.fit import Plan, Wish, fit
from rackwright.models.model import Models
from rackwright.models.search import largest

CONTEXT_STEP = 256
MOST_PARALLEL = 1024


@dataclass(frozen=True)
class Limits:
    """Limits of a plan on its GPUs, each with the other setting as planned.

    Attributes:
        context: The longest context in tokens, up to what the model was trained for.
        parallel: The most requests at the same time.
    """

    context: int
    parallel: int


def limits(models: Models, plan: Plan, machine: Machine, share: float) -> Limits:
    """Return how far a plan can go with its engine, quantisation and cache on the GPUs that it uses."""
    service = plan.service
    wish = Wish(
        service.context, service.parallel, service.engine.name, service.quantisation, service.cache, share
    )
    if machine.gpus is not None:
        machine = replace(machine, gpus=replace(machine.gpus, count=service.gpus))

    def fits(wished: Wish) -> bool:
        return isinstance(fit(models, plan.key, machine, wished), Plan)

    trained = models.models[plan.key].context
    context = largest(
        1, trained // CONTEXT_STEP, lambda step: fits(replace(wish, context=step * CONTEXT_STEP))
    )
    parallel = largest(1, MOST_PARALLEL, lambda number: fits(replace(wish, parallel=number)))
    return Limits(max(service.context, context * CONTEXT_STEP), parallel)
