"""Checks of the models that a site asks for: they exist, so built, and fit their hosts."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

from rackwright.catalogue.findings import Finding, FindingsError
from rackwright.errors import RackwrightError
from rackwright.hardware.model import Hardware
from rackwright.models.catalogue import models_of
from rackwright.models.choice import choose
from rackwright.models.model import Models
from rackwright.site.inventory import Inventory
from rackwright.site.plain import Value
from rackwright.tiers.load import tier_of
from rackwright.tiers.model import Tier

_AT = "tier_overrides.inference"


def model_findings(inventory: Inventory, variables: Mapping[str, Value]) -> Iterator[Finding]:
    """Yield models that do not exist, have no such build, or fit no host that should serve them.

    The tier's own model may give way to a smaller one (a warning); one that the site itself asks for may not.

    Args:
        inventory: The site's inventory.
        variables: The site's `tiers`, `tier`, `tier_overrides`, `models` and `model_quantisations`; the tier
            has been checked.
    """
    own = (variables.get("tier_overrides") or {}).get("inference") or {}
    described = [
        name for name in inventory.members("inference") if "hardware" in inventory.hosts[name].variables
    ]
    try:
        tier, models = tier_of(variables), models_of(variables)
    except FindingsError:
        # Told where the tier and the models are checked.
        return
    unknown = list(_unknown(tier, models))
    yield from unknown
    if not unknown:
        yield from _build(tier, models, own)
        for name in described:
            yield from _fitting(inventory, name, tier, models, own)


def _unknown(tier: Tier, models: Models) -> Iterator[Finding]:
    asked = {
        f"{_AT}.model": [tier.inference.model],
        f"{_AT}.cpu_model": [tier.inference.cpu_model],
        f"{_AT}.more_models": tier.inference.more_models,
        "tier_overrides.embedding.model": [tier.embedding.model],
    }
    for variable, keys in asked.items():
        for key in keys:
            if key not in models.models:
                near = difflib.get_close_matches(key, models.models, n=1)
                yield Finding(
                    variable,
                    key,
                    "there is no model of this name",
                    f"write `{near[0]}`" if near else "`rackwright models list` has all",
                )


def _build(tier: Tier, models: Models, own: Mapping[str, Value]) -> Iterator[Finding]:
    builds = models.models[tier.inference.model].builds
    if {"model", "quantisation"} & set(own) and tier.inference.quantisation not in builds:
        yield Finding(
            f"{_AT}.quantisation",
            tier.inference.quantisation,
            f"{tier.inference.model} cannot be had so",
            f"one of {', '.join(builds)}",
        )


def _fitting(
    inventory: Inventory, name: str, tier: Tier, models: Models, own: Mapping[str, Value]
) -> Iterator[Finding]:
    try:
        hardware = Hardware.model_validate(inventory.hosts[name].variables["hardware"])
        choice = choose(tier, hardware, models)
    except (ValueError, RackwrightError):
        # Told where the hardware is checked.
        return
    asked = "model" if hardware.gpus else "cpu_model"
    changes = "; ".join(change.text for change in choice.changes)
    if choice.plan is None:
        yield Finding(
            f"{_AT}.{asked}",
            choice.wanted,
            "; ".join(choice.reasons),
            changes or "`rackwright models fit` says what this host can serve",
            f"host {name}",
        )
    elif choice.warnings:
        yield Finding(
            f"{_AT}.{asked}",
            choice.wanted,
            choice.warnings[0],
            f"write {asked}: {choice.key}; `rackwright models fit` says what else this host can serve",
            f"host {name}",
            severity="error" if asked in own else "warning",
        )
