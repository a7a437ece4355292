"""What a tier serves on a machine."""

import pytest
import yaml

from rackwright.errors import RackwrightError
from rackwright.hardware.model import Cpu, Gpu, Hardware, System
from rackwright.models.choice import choose, choose_for
from rackwright.models.devices import Gpus, Machine, machine_of, parse_gpus
from rackwright.models.fit import Plan, fit
from rackwright.models.model import Models
from rackwright.site.paths import repository_root
from rackwright.tiers.load import load_tiers
from rackwright.tiers.model import Tier


@pytest.fixture(scope="module")
def tiers() -> dict[str, Tier]:
    path = repository_root() / "group_vars" / "all" / "tiers.yml"
    return load_tiers(yaml.safe_load(path.read_text(encoding="utf-8"))["tiers"])


def hardware(*gpus: Gpu, memory_mb: int = 64_000) -> Hardware:
    return Hardware(
        system=System(
            distribution="Debian",
            version="13",
            codename="trixie",
            kernel="6.12",
            architecture="x86_64",
            virtualization="none",
            secure_boot=None,
            python="3.13",
        ),
        cpu=Cpu(model="test", sockets=1, cores=8, threads=16),
        memory_mb=memory_mb,
        numa=[],
        disks=[],
        filesystems=[],
        network=[],
        gpus=list(gpus),
        nvswitch=False,
    )


def gpu(model: str, vram: int, number: int = 0) -> Gpu:
    return Gpu(
        pci_address=f"0000:{number:02x}:00.0",
        pci_id="10de:0000",
        model=model,
        architecture="ampere",
        compute_capability="8.6",
        vram_mb=vram,
        driver=None,
        mig=None,
        nvlink_peers=[],
    )


def test_every_tier_serves_its_model_on_the_machine_that_it_recommends(
    models: Models, tiers: dict[str, Tier]
) -> None:
    for name, tier in tiers.items():
        size = tier.machine.recommended
        gpus = Gpus("recommended", size.gpus, size.vram_gb * 1024) if size.gpus else None
        choice = choose_for(tier, Machine(gpus, size.memory_gb * 512), models)
        assert choice.key == (tier.inference.model if gpus else tier.inference.cpu_model), name
        assert not choice.warnings, name
        assert choice.reasons


def test_every_tier_serves_something_on_its_minimum(models: Models, tiers: dict[str, Tier]) -> None:
    # A lab's machines are smaller than any model; it serves one that it makes itself.
    for name, tier in ((name, tier) for name, tier in tiers.items() if name != "lab"):
        size = tier.machine.minimum
        gpus = Gpus("minimum", size.gpus, size.vram_gb * 1024) if size.gpus else None
        assert choose_for(tier, Machine(gpus, size.memory_gb * 512), models).plan is not None, name


def test_the_next_smaller_model_comes_with_a_warning(models: Models, tiers: dict[str, Tier]) -> None:
    choice = choose_for(tiers["standard"], Machine(parse_gpus("t4"), 0), models)
    assert choice.wanted == "qwen3-14b"
    assert choice.key is not None
    assert models.models[choice.key].parameters.total < 14.8
    assert any("qwen3-14b" in warning and "does not fit" in warning for warning in choice.warnings)
    assert choice.changes, "what would let the tier's own model fit is told too"


def test_another_quantisation_comes_before_another_model(models: Models, tiers: dict[str, Tier]) -> None:
    choice = choose_for(tiers["flagship"], Machine(parse_gpus("a100-80gb:8"), 0), models)
    assert choice.key == tiers["flagship"].inference.model
    assert choice.plan is not None
    assert choice.plan.service.quantisation != "fp8", "an A100 does not compute with FP8"
    assert "does not compute with FP8" in choice.warnings[0]


def test_nothing_fits_is_a_refusal_that_names_a_change(models: Models, tiers: dict[str, Tier]) -> None:
    choice = choose_for(tiers["entry"], Machine(None, 256), models)
    assert (choice.plan, choice.key) == (None, None)
    assert "does not fit" in choice.reasons[0]
    change = choice.changes[0]
    assert isinstance(fit(models, change.key, change.machine, change.wish), Plan)


def test_a_host_without_gpus_serves_the_processors_model(models: Models, tiers: dict[str, Tier]) -> None:
    choice = choose(tiers["enterprise"], hardware(memory_mb=128_000), models)
    assert choice.wanted == tiers["enterprise"].inference.cpu_model
    assert choice.plan is not None
    assert choice.plan.service.gpus == 0
    assert choice.plan.service.engine.cpu
    assert choice.plan.available_mib == 64_000


def test_a_budget_of_memory_is_kept(models: Models, tiers: dict[str, Tier]) -> None:
    choice = choose(tiers["entry"], hardware(memory_mb=128_000), models, ram_mib=6_000)
    assert choice.plan is not None
    assert choice.plan.memory.total_mib <= 6_000


def test_of_several_kinds_of_gpus_the_largest_group_serves() -> None:
    pair = [gpu("GeForce RTX 3090", 24576, number) for number in (1, 3)]
    found = machine_of(hardware(pair[0], gpu("Tesla T4", 15360, 2), pair[1]), 1)
    assert found.gpus is not None
    assert (found.gpus.name, found.gpus.count, found.gpus.bandwidth_gbs) == ("GeForce RTX 3090", 2, 936)


def test_gpus_whose_memory_nobody_knows_serve_nothing() -> None:
    assert machine_of(hardware(gpu("unknown", 0)), 4096).gpus is None


@pytest.mark.parametrize(
    ("text", "name", "count"),
    [
        ("rtx-3090", "GeForce RTX 3090", 1),
        ("RTX3090:2", "GeForce RTX 3090", 2),
        ("GeForce RTX 3090 Ti", "GeForce RTX 3090 Ti", 1),
        ("a100-80gb:8", "A100 SXM4 80GB", 8),
        ("h100", "H100 PCIe", 1),
        ("t4", "Tesla T4", 1),
        ("l40s:4", "L40S", 4),
    ],
)
def test_gpus_by_name(text: str, name: str, count: int) -> None:
    found = parse_gpus(text)
    assert found.count == count
    if "a100" not in text:
        assert found.name == name
    assert found.vram_mib > 1000


@pytest.mark.parametrize("text", ["", ":2", "voodoo", "h100:0", "h100:many", "h100:"])
def test_gpus_that_nobody_has(text: str) -> None:
    if text == "h100:":
        assert parse_gpus(text).count == 1
        return
    with pytest.raises(RackwrightError) as caught:
        parse_gpus(text)
    assert caught.value.hint
