"""Which tier is suggested for which machines and people."""

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rackwright.hardware.model import Hardware
from rackwright.site.paths import repository_root
from rackwright.tiers.load import load_tiers
from rackwright.tiers.model import Tier
from rackwright.tiers.suggest import meets, shortfalls, suggest_tier

SAMPLES = repository_root() / "inventories/answers/hardware"


def load(path: Path) -> Hardware:
    return Hardware.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))["hardware"])


MACHINES = {path.stem: load(path) for path in SAMPLES.glob("*.yml")}
TIERS: dict[str, Tier] = load_tiers(
    yaml.safe_load((repository_root() / "group_vars/all/tiers.yml").read_text(encoding="utf-8"))["tiers"]
)
BY_SIZE = ("lab", "entry", "standard", "enterprise", "flagship")


@pytest.mark.parametrize(
    ("machines", "users", "tier"),
    [
        # The plan's machines for the plan's numbers of people.
        (["development"], 10, "entry"),
        (["standard", "standard"], 50, "standard"),
        (["plain", "production", "data"], 200, "enterprise"),
        # The people decide where the machines allow more.
        (["production"], 5, "entry"),
        (["production"], 11, "standard"),
        # The machines decide where the people want more.
        (["development"], 200, "entry"),
        (["production"], 5000, "enterprise"),
        # Nobody has said how many people there are.
        (["production"], None, "enterprise"),
        (["development"], None, "entry"),
        # No GPU: a rehearsal.
        (["plain", "data"], 10, "lab"),
        # No machine has been looked at.
        ([], 10, "entry"),
        ([], 200, "enterprise"),
        ([], 5000, "flagship"),
        ([], None, "entry"),
    ],
)
def test_the_tier_that_is_suggested(machines: list[str], users: int | None, tier: str) -> None:
    suggestion = suggest_tier([MACHINES[name] for name in machines], users, TIERS)
    assert suggestion.tier == tier
    assert suggestion.reason


def test_what_is_lacking_is_said_with_both_figures() -> None:
    suggestion = suggest_tier([MACHINES["development"]], 200, TIERS)
    assert suggestion.shortfalls == (
        "16 of 32 cores",
        "33 of 128 GB memory",
        "0 of 2 GPUs with 40 GB",
        "500 of 2000 GB disk",
        "1 of 10 Gbit/s network",
    )


def test_a_machine_shows_a_little_less_than_is_sold() -> None:
    entry = TIERS["entry"].machine.minimum
    sold = MACHINES["development"]
    assert meets(entry, sold.model_copy(update={"memory_mb": 31000}))
    assert not meets(entry, sold.model_copy(update={"memory_mb": 24000}))


def test_what_nobody_knows_is_not_held_against_a_machine() -> None:
    (gpu,) = MACHINES["development"].gpus
    unknown = MACHINES["development"].model_copy(
        update={"disks": [], "network": [], "gpus": [gpu.model_copy(update={"vram_mb": 0})]}
    )
    assert shortfalls(TIERS["entry"].machine.minimum, unknown) == ()


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from(sorted(MACHINES)), max_size=4),
    st.sampled_from(sorted(MACHINES)),
    st.integers(1, 3000),
    st.integers(0, 3000),
)
def test_more_people_or_machines_never_make_it_smaller(
    machines: list[str], another: str, users: int, more: int
) -> None:
    def size(names: list[str], people: int) -> int:
        return BY_SIZE.index(suggest_tier([MACHINES[name] for name in names], people, TIERS).tier)

    assert size(machines, users + more) >= size(machines, users)
    if machines:
        assert size([*machines, another], users) >= size(machines, users)
