"""Tiers from the variables of a site: `tiers`, `tier` and `tier_overrides`. All findings at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter

from rackwright.catalogue.findings import Finding, FindingsError, short
from rackwright.catalogue.load import parse
from rackwright.site.plain import Value, plain
from rackwright.tiers.model import Tier

_TIER = TypeAdapter(Tier)
_DOCS = "docs/tiers.md"
# Their keys are names of services, so a site may add some: those of the catalogue.
_OPEN = ("replicas", "shares")


def load_tiers(value: object) -> dict[str, Tier]:
    """Return the tiers that the variable `tiers` holds, by name.

    Raises:
        FindingsError: Anything in them is wrong; holds every finding.
    """
    findings: list[Finding] = []
    if not isinstance(value, Mapping) or not value:
        raise FindingsError(
            [Finding("tiers", short(value), "it must be the tiers by name", f"{_DOCS} has them")]
        )
    tiers: dict[str, Tier] = {}
    for name, data in value.items():
        tier = _parse(f"tiers.{name}", data, findings)
        if tier is not None:
            tiers[str(name)] = tier
    if findings:
        raise FindingsError(findings)
    return tiers


def tier_of(variables: Mapping[str, Value], services: Iterable[str] = ()) -> Tier:
    """Return the tier of a site with the site's own changes.

    Args:
        variables: The site's variables: `tiers`, `tier`, and `tier_overrides` where it has some.
        services: Services of the catalogue; `tier_overrides` may give these a share too.

    Raises:
        FindingsError: A tier that does not exist, an override of a key that does not, a value that the key
            cannot have; holds every finding.
    """
    tiers = plain(variables.get("tiers"))
    load_tiers(tiers)
    name = plain(variables.get("tier"))
    if not isinstance(name, str) or name not in tiers:
        raise FindingsError([_unknown_tier(name, tiers)])
    overrides = plain(variables.get("tier_overrides")) or {}
    findings = list(_override_findings(overrides, tiers[name], frozenset(services)))
    if findings:
        raise FindingsError(findings)
    merged = _merge(tiers[name], overrides)
    tier = _parse("tier_overrides", merged, findings)
    if tier is None:
        raise FindingsError(findings)
    return tier


def tier_findings(variables: Mapping[str, Value], services: Iterable[str] = ()) -> tuple[Finding, ...]:
    """Return what `tier_of` would refuse; empty when the site has a tier."""
    try:
        tier_of(variables, services)
    except FindingsError as error:
        return error.findings
    return ()


def _parse(variable: str, data: object, findings: list[Finding]) -> Tier | None:
    wrong: list[Finding] = []
    tier = parse(_TIER, variable, data, wrong)
    findings += [
        Finding(item.variable, item.value, item.rule, item.hint.replace("docs/catalogue.md", _DOCS))
        for item in wrong
    ]
    return tier


def _unknown_tier(name: object, tiers: Mapping[str, Any]) -> Finding:
    near = difflib.get_close_matches(str(name), tiers, n=1)
    names = ", ".join(tiers)
    return Finding(
        "tier",
        "(absent)" if name is None else short(name),
        f"it must be one of {names}",
        f"write `tier: {near[0]}`" if near else f"{_DOCS} says which one to take",
    )


def _override_findings(
    overrides: object, base: Mapping[str, Any], services: frozenset[str], path: tuple[str, ...] = ()
) -> Iterator[Finding]:
    """Say which keys of the overrides the tier does not have; their values are judged after the merge."""
    if not isinstance(overrides, Mapping):
        yield Finding(
            ".".join(("tier_overrides", *path)),
            short(overrides),
            "it must be a mapping of the tier's keys",
            f"its keys: {', '.join(base)}",
        )
        return
    for key, value in overrides.items():
        here = (*path, str(key))
        if key in base:
            if isinstance(base[key], Mapping):
                yield from _override_findings(value, base[key], services, here)
        elif not (path and path[-1] in _OPEN and key in services):
            known = [*base, *sorted(services - set(base))] if path and path[-1] in _OPEN else list(base)
            near = difflib.get_close_matches(str(key), known, n=1)
            yield Finding(
                ".".join(("tier_overrides", *here)),
                short(value),
                "the tier has no key of this name",
                f"write `{near[0]}`" if near else f"its keys: {', '.join(known)}",
            )


def _merge(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Lay the overrides over the base: mappings key by key, everything else as a whole."""
    merged = dict(base)
    for key, value in overrides.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged
