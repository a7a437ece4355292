"""Tiers: what the project ships, what a site may change, and what is refused."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rackwright.catalogue.findings import FindingsError
from rackwright.tiers.load import load_tiers, tier_findings, tier_of

ROOT = Path(__file__).parents[3]
SHIPPED: dict[str, Any] = yaml.safe_load((ROOT / "group_vars/all/tiers.yml").read_text())["tiers"]
SERVICES = ("app", "kibana", "postgresql", "redis")


def site(tier: object = "entry", overrides: object = None) -> dict[str, Any]:
    return {"tiers": SHIPPED, "tier": tier, "tier_overrides": overrides}


def test_the_shipped_tiers_are_those_of_the_requirements() -> None:
    tiers = load_tiers(SHIPPED)
    assert {name: tier.users.concurrent for name, tier in tiers.items() if name != "lab"} == {
        "entry": 10,
        "standard": 50,
        "enterprise": 200,
        "flagship": 1000,
    }
    costs = [tier.cost.hardware_cny for tier in tiers.values()]
    assert costs == [0, 30_000, 80_000, 200_000, 500_000]
    assert [tier.cost.monthly_cny for tier in tiers.values()] == [0, 500, 1500, 5000, 15_000]
    entry = tiers["entry"].machine.minimum
    assert (entry.cores, entry.memory_gb, entry.gpus, entry.vram_gb, entry.disk_gb, entry.network_gbps) == (
        8,
        32,
        1,
        24,
        500,
        1,
    )
    for tier in tiers.values():
        assert tier.retention.conversations_days == 90
        assert tier.retention.audit_days == 30
        assert tier.retention.temporary_days == 7


def test_recommended_is_never_less_than_the_minimum() -> None:
    for tier in load_tiers(SHIPPED).values():
        minimum, recommended = tier.machine.minimum.model_dump(), tier.machine.recommended.model_dump()
        assert {key for key in minimum if recommended[key] < minimum[key]} == set()


def test_a_larger_tier_never_asks_for_less() -> None:
    ladder = [load_tiers(SHIPPED)[name] for name in ("lab", "entry", "standard", "enterprise", "flagship")]
    for smaller, larger in itertools.pairwise(ladder):
        assert smaller.users.company < larger.users.company
        for size in ("minimum", "recommended"):
            less, more = (getattr(tier.machine, size).model_dump() for tier in (smaller, larger))
            assert {key for key in less if more[key] < less[key]} == set()


def test_an_override_changes_what_it_names_and_nothing_else() -> None:
    changed = tier_of(site(overrides={"shares": {"redis": 3}, "inference": {"more_models": ["qwen3-4b"]}}))
    plain = tier_of(site())
    assert changed.shares == {**plain.shares, "redis": 3}
    assert changed.inference.more_models == ["qwen3-4b"]
    assert changed.inference.model == plain.inference.model
    assert changed.model_dump(exclude={"shares", "inference"}) == plain.model_dump(
        exclude={"shares", "inference"}
    )


def test_a_share_may_be_given_to_any_service_of_the_catalogue() -> None:
    assert tier_of(site(overrides={"shares": {"kibana": 2}}), SERVICES).shares["kibana"] == 2
    (finding,) = tier_findings(site(overrides={"shares": {"kibana": 2}}))
    assert finding.variable == "tier_overrides.shares.kibana"


@pytest.mark.parametrize(
    ("tier", "overrides", "variable", "said"),
    [
        ("entri", None, "tier", "write `tier: entry`"),
        (None, None, "tier", "one of lab, entry"),
        (3, None, "tier", "one of lab, entry"),
        ("entry", {"shares": {"redis": -1}}, "tier_overrides.shares.redis", "greater than or equal to 1"),
        ("entry", {"shares": {"redis": "2"}}, "tier_overrides.shares.redis", "without quotes"),
        ("entry", {"share": {"redis": 2}}, "tier_overrides.share", "write `shares`"),
        ("entry", {"inference": {"modell": "qwen3-8b"}}, "tier_overrides.inference.modell", "write `model`"),
        ("entry", {"inference": {"engine": "tgi"}}, "tier_overrides.inference.engine", "vllm"),
        ("entry", {"users": 40}, "tier_overrides.users", "concurrent, company"),
        ("entry", {"users": None}, "tier_overrides.users", "concurrent, company"),
        ("entry", ["users"], "tier_overrides", "mapping"),
        ("entry", {"retention": {"audit_days": 0}}, "tier_overrides.retention.audit_days", "or equal to 1"),
        ("entry", {"machine": {"minimum": {"cores": 0}}}, "tier_overrides.machine.minimum.cores", "equal to"),
    ],
)
def test_bad_input_is_refused_by_name_and_rule(
    tier: object, overrides: object, variable: str, said: str
) -> None:
    (finding,) = tier_findings(site(tier, overrides))
    assert finding.variable == variable
    assert finding.rule
    assert said in f"{finding.rule} {finding.hint}"


def test_all_findings_come_at_once() -> None:
    wrong = {"shares": {"redis": 0, "postgresql": -4}, "users": {"concurrent": "ten"}}
    with pytest.raises(FindingsError) as refused:
        tier_of(site(overrides=wrong))
    assert {finding.variable for finding in refused.value.findings} == {
        "tier_overrides.shares.redis",
        "tier_overrides.shares.postgresql",
        "tier_overrides.users.concurrent",
    }


@pytest.mark.parametrize("tiers", [None, [], "entry", {}])
def test_no_tiers_at_all_is_a_finding(tiers: object) -> None:
    (finding,) = tier_findings({"tiers": tiers, "tier": "entry"})
    assert finding.variable == "tiers"


def test_a_key_that_a_tier_lacks_is_named_with_the_tier() -> None:
    broken = {**SHIPPED, "entry": {key: value for key, value in SHIPPED["entry"].items() if key != "cost"}}
    (finding,) = tier_findings({"tiers": broken, "tier": "lab"})
    assert (finding.variable, finding.value) == ("tiers.entry.cost", "(absent)")


leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
junk = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*SHIPPED["entry"], "redis", "model", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(junk)
def test_whatever_is_written_is_taken_or_refused_in_words(overrides: object) -> None:
    for finding in tier_findings(site(overrides=overrides)):
        assert finding.variable.startswith("tier_overrides")
        assert finding.rule
        assert finding.hint


def keys(value: object) -> object:
    # Which services a tier names is part of what every tier says alike.
    return {key: keys(item) for key, item in value.items()} if isinstance(value, Mapping) else None


@pytest.mark.parametrize("name", SHIPPED)
def test_every_tier_has_the_same_keys(name: str) -> None:
    assert keys(SHIPPED[name]) == keys(SHIPPED["entry"])
