"""The smallest changes that would let a model fit where it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from rackwright.models.devices import Gpus, Machine
from rackwright.models.engines import CACHE_BITS, ENGINES
from rackwright.models.fit import Misfit, Plan, Wish, fit
from rackwright.models.model import Models
from rackwright.models.related import smaller_models
from rackwright.models.search import largest

Kind = Literal["quantisation", "engine", "cache", "parallel", "context", "both", "model", "gpus", "memory"]

SHORTEST_CONTEXT = 512
CONTEXT_STEP = 256
MOST_GPUS = 8
# The largest GPU of the data is a B300; nobody serves from more memory without one.
MOST_VRAM_GIB = 288
MOST_RAM_GIB = 2048
_GIB = 1024


@dataclass(frozen=True)
class Change:
    """One change after which the model, or another, fits.

    Attributes:
        kind: What is changed.
        text: What to do, for an operator.
        key: The model then.
        machine: The machine then.
        wish: The wish then.
        plan: How it is served then.
    """

    kind: Kind
    text: str
    key: str
    machine: Machine
    wish: Wish
    plan: Plan


def changes(models: Models, misfit: Misfit, machine: Machine, wish: Wish) -> list[Change]:
    """Return what would help, the smallest change first: settings, then a smaller model, then hardware."""
    finder = _Finder(models, misfit.key, machine, wish)
    return [change for step in finder.steps() for change in step()]


@dataclass(frozen=True)
class _Finder:
    models: Models
    key: str
    machine: Machine
    wish: Wish

    def steps(self) -> tuple[Callable[[], Iterator[Change]], ...]:
        return (
            self.quantisation,
            self.cache,
            self.engine,
            self.parallel,
            self.context,
            self.parallel_and_context,
            self.model,
            self.gpus,
            self.size,
        )

    def quantisation(self) -> Iterator[Change]:
        if self.wish.quantisation:
            wish = replace(self.wish, quantisation=None)
            yield from self._try("quantisation", wish, lambda plan: f"take {plan.service.quantisation}")

    def cache(self) -> Iterator[Change]:
        name = self.wish.engine
        # Coarser ones than these cost answers their quality.
        types = [cache for cache in ("q8_0", "fp8") if name is None or cache in ENGINES[name].cache_types]
        for cache in types:
            if CACHE_BITS[cache] < CACHE_BITS[self.wish.cache]:
                wish = replace(self.wish, cache=cache)
                found = list(self._try("cache", wish, lambda plan: f"keep the cache as {plan.service.cache}"))
                yield from found
                if found:
                    return

    def engine(self) -> Iterator[Change]:
        if self.wish.engine:
            wish = replace(self.wish, engine=None, quantisation=None)
            yield from self._try(
                "engine",
                wish,
                lambda plan: f"serve {plan.service.quantisation} by {plan.service.engine.name}",
            )

    def parallel(self) -> Iterator[Change]:
        best = largest(
            1, self.wish.parallel - 1, lambda number: self._fits(replace(self.wish, parallel=number))
        )
        if best:
            wish = replace(self.wish, parallel=best)
            yield from self._try("parallel", wish, lambda _: f"answer {best} at a time")

    def context(self) -> Iterator[Change]:
        context = self._longest(self.wish)
        if context:
            wish = replace(self.wish, context=context)
            yield from self._try("context", wish, lambda _: f"shorten the context to {context} tokens")

    def parallel_and_context(self) -> Iterator[Change]:
        alone = replace(self.wish, parallel=1)
        if self.wish.parallel == 1 or self._fits(alone) or self._longest(self.wish):
            return
        context = self._longest(alone)
        if context:
            wish = replace(alone, context=context)
            yield from self._try("both", wish, lambda _: f"answer one at a time, with {context} tokens")

    def model(self) -> Iterator[Change]:
        # Another model has builds of its own.
        wish = replace(self.wish, quantisation=None)
        for key in smaller_models(self.models, self.key):
            plan = fit(self.models, key, self.machine, wish)
            if isinstance(plan, Plan):
                text = f"take {key} ({plan.service.quantisation})"
                yield Change("model", text, key, self.machine, wish, plan)
                return

    def gpus(self) -> Iterator[Change]:
        have = self.machine.gpus
        if have is None:
            return
        for count in range(have.count + 1, MOST_GPUS + 1):
            machine = self._with(replace(have, count=count))
            found = list(self._try_on("gpus", machine, f"have {count} of these GPUs"))
            yield from found
            if found:
                return

    def size(self) -> Iterator[Change]:
        if self.machine.gpus is None:
            least = self._least(lambda gib: replace(self.machine, ram_mib=gib * _GIB), MOST_RAM_GIB)
            if least:
                machine = replace(self.machine, ram_mib=least * _GIB)
                yield from self._try_on("memory", machine, f"give it {least} GiB of memory")
        first = self.machine.gpus.count if self.machine.gpus else 1
        for count in range(first, MOST_GPUS + 1):
            least = self._least(partial(self._with_gpus, count), MOST_VRAM_GIB)
            if least:
                text = f"have {_number(count)} with {least} GiB{' each' if count > 1 else ''}"
                yield from self._try_on("memory", self._with_gpus(count, least), text)
                return

    def _least(self, sized: Callable[[int], Machine], most: int) -> int:
        """Return the least size in GiB with which it fits; 0 when the most is too little."""

        def enough(gib: int) -> bool:
            return isinstance(fit(self.models, self.key, sized(gib), self.wish), Plan)

        if not enough(most):
            return 0
        return largest(1, most, lambda gib: not enough(gib)) + 1

    def _with_gpus(self, count: int, gib: int) -> Machine:
        return self._with(Gpus(f"GPU with {gib} GiB", count, gib * _GIB))

    def _with(self, gpus: Gpus) -> Machine:
        return replace(self.machine, gpus=gpus)

    def _longest(self, wish: Wish) -> int:
        """Return the longest context below the wish's that fits; 0 when none does."""
        most = min(self.wish.context, self.models.models[self.key].context)
        steps = (most if most < self.wish.context else most - 1) // CONTEXT_STEP
        best = largest(
            SHORTEST_CONTEXT // CONTEXT_STEP,
            steps,
            lambda step: self._fits(replace(wish, context=step * CONTEXT_STEP)),
        )
        return best * CONTEXT_STEP

    def _fits(self, wish: Wish) -> bool:
        return isinstance(fit(self.models, self.key, self.machine, wish), Plan)

    def _try(self, kind: Kind, wish: Wish, text: Callable[[Plan], str]) -> Iterator[Change]:
        plan = fit(self.models, self.key, self.machine, wish)
        if isinstance(plan, Plan):
            yield Change(kind, text(plan), self.key, self.machine, wish, plan)

    def _try_on(self, kind: Kind, machine: Machine, text: str) -> Iterator[Change]:
        plan = fit(self.models, self.key, machine, self.wish)
        if isinstance(plan, Plan):
            yield Change(kind, text, self.key, machine, self.wish, plan)


def _number(count: int) -> str:
    return "a GPU" if count == 1 else f"{count} GPUs"
