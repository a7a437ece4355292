"""What `rackwright models fit` says: for each model whether and how it fits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rackwright.models.devices import Machine
from rackwright.models.fit import Misfit, Plan, Wish, fit
from rackwright.models.limits import Limits, limits
from rackwright.models.model import Models
from rackwright.models.refusal import Change, changes


@dataclass(frozen=True)
class Row:
    """One model on one machine.

    Attributes:
        key: The model.
        result: How it is served, or why not.
        limits: How far the plan goes; None where there is none.
        changes: What would help where it does not fit, the smallest change first.
    """

    key: str
    result: Plan | Misfit
    limits: Limits | None
    changes: tuple[Change, ...]

    def as_dict(self) -> dict[str, object]:
        """A plain dictionary for JSON."""
        if isinstance(self.result, Plan):
            return {"model": self.key, "fits": True, **_plan_dict(self.result), **_limits_dict(self.limits)}
        return {
            "model": self.key,
            "fits": False,
            "reason": self.result.reason,
            "nearest": _plan_dict(self.result.nearest) if self.result.nearest else None,
            "changes": [
                {"kind": change.kind, "text": change.text, "model": change.key, **_plan_dict(change.plan)}
                for change in self.changes
            ],
        }


def fit_all(models: Models, machine: Machine, wish: Wish, keys: Iterable[str]) -> list[Row]:
    """Return how each model of `keys` fits a machine, with no more context than it was trained for."""
    return [_row(models, key, machine, wish.within(models.models[key])) for key in keys]


def _row(models: Models, key: str, machine: Machine, wish: Wish) -> Row:
    result = fit(models, key, machine, wish)
    if isinstance(result, Plan):
        return Row(key, result, limits(models, result, machine, wish.share), ())
    return Row(key, result, None, tuple(changes(models, result, machine, wish)))


def _plan_dict(plan: Plan) -> dict[str, object]:
    service = plan.service
    return {
        "engine": service.engine.name,
        "quantisation": service.quantisation,
        "context": service.context,
        "parallel": service.parallel,
        "cache": service.cache,
        "gpus": service.gpus,
        "tensor_parallel": service.tensor_parallel,
        "memory_mib": plan.memory.total_mib,
        "available_mib": plan.available_mib,
        "parts": {name: part.as_dict() for name, part in plan.memory.parts.items()},
        "tokens_per_second_at_most": plan.speed.as_dict() if plan.speed else None,
    }


def _limits_dict(found: Limits | None) -> dict[str, object]:
    return {"longest_context": found.context, "most_parallel": found.parallel} if found else {}
