"""The numbers of a site, or of nobody in particular, as the reckoning takes them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from rackwright.cost.settings import CostSettings, Inputs, inputs_of, parse_settings
from rackwright.site.paths import repository_root

# Without an inventory: the tier whose hardware the plan's example is about.
DEFAULT_TIER = "enterprise"
_DEFAULTS = "cost_defaults"


def site_inputs(sources: Sequence[Path], flags: CostSettings, tier_name: str | None = None) -> Inputs:
    """Gather a site's numbers.

    Args:
        sources: inventory sources.
        flags: what the command line says; the strongest.
        tier_name: another tier than the site's.

    Raises:
        RackwrightError: The inventory cannot be read, or a number is wrong.
    """
    from rackwright.site.inventory import load_inventory  # noqa: PLC0415 - loads Ansible
    from rackwright.site.plain import plain  # noqa: PLC0415

    variables = load_inventory(sources).site_variables()
    names = (_DEFAULTS, "cost", "tiers", "tier", "tier_overrides")
    return _inputs({name: plain(variables[name]) for name in names if name in variables}, flags, tier_name)


def default_inputs(flags: CostSettings, tier_name: str | None = None) -> Inputs:
    """Gather the project's own numbers, for a reckoning without a site.

    Args:
        flags: what the command line says; the strongest.
        tier_name: the tier whose hardware it is.

    Raises:
        RackwrightError: A number is wrong.
    """
    folder = repository_root() / "group_vars" / "all"
    variables: dict[str, Any] = {"tier": DEFAULT_TIER}
    for name in ("cost.yml", "tiers.yml"):
        variables |= yaml.safe_load((folder / name).read_text(encoding="utf-8"))
    return _inputs(variables, flags, tier_name)


def _inputs(variables: dict[str, Any], flags: CostSettings, tier_name: str | None) -> Inputs:
    from rackwright.tiers.load import tier_of  # noqa: PLC0415 - with the models of all tiers

    if tier_name is not None:
        # Overrides are those of the site's own tier.
        variables = {name: value for name, value in variables.items() if name != "tier_overrides"}
        variables["tier"] = tier_name
    tier = tier_of(variables)
    layers = {
        "default": parse_settings(_DEFAULTS, variables.get(_DEFAULTS) or {}),
        "site": parse_settings("cost", variables.get("cost") or {}),
        "command line": flags,
    }
    return inputs_of(
        layers,
        tier=str(variables["tier"]),
        tier_hardware=Decimal(str(tier.cost.hardware_cny)),
        tier_monthly=Decimal(str(tier.cost.monthly_cny)),
    )
