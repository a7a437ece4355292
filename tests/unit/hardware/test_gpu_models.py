"""group_vars/all/gpus.yml and what follows from it."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from rackwright.catalogue.findings import FindingsError
from rackwright.hardware.gpus import (
    ARCHITECTURES,
    GpuModel,
    architecture_of_capability,
    architecture_of_chip,
    has_bf16,
    has_fp4,
    has_fp8,
    known_gpus,
    load_gpus,
)
from rackwright.hardware.model import Architecture

MODELS = known_gpus().all


def ada(*entries: dict[str, object]) -> dict[str, object]:
    return {"ada": list(entries)}


def entry(**changes: object) -> dict[str, object]:
    base = {"model": "L4", "ids": ["10de:27b8"], "capability": "8.9", "memory_gb": 24, "bandwidth_gbs": 300}
    return {**base, **changes}


def test_ids_and_names_are_unique() -> None:
    keys = [(pci_id, card) for model in MODELS for pci_id in model.ids for card in model.subsystems or ("",)]
    assert [key for key, count in Counter(keys).items() if count > 1] == []
    assert [name for name, count in Counter(model.model for model in MODELS).items() if count > 1] == []


@pytest.mark.parametrize("model", MODELS, ids=[model.model for model in MODELS])
def test_an_entry_agrees_with_itself(model: GpuModel) -> None:
    assert all(pci_id.startswith("10de:") for pci_id in model.ids)
    assert architecture_of_capability(model.compute_capability) == model.architecture
    # ECC takes a sixteenth of GDDR at the most; what a vendor calls GB are GiB, and B300 keeps the most back.
    assert 0.91 <= model.vram_mb / (model.memory_gb * 1024) <= 1.0
    if model.vram_from == "nominal":
        assert model.vram_mb == model.memory_gb * 1024
    # Names that tell a size tell the truth; only the capacity of the GPU's own memory counts (GH200).
    told = re.search(r"\b(\d+)GB", model.model)
    assert told is None or int(told[1]) == model.memory_gb
    assert not model.mig or model.architecture in {"ampere", "hopper", "blackwell"}
    assert model.form == "pcie" or model.nvlink
    assert 80 <= model.bandwidth_gbs <= 8000
    assert model.source


@pytest.mark.parametrize(
    ("pci_id", "name"),
    [
        ("10de:2204", "GeForce RTX 3090"),
        ("10de:20f1", "A100 PCIe 40GB"),
        ("10de:20b5", "A100 PCIe 80GB"),
        ("10de:20b2", "A100 SXM4 80GB"),
        ("10de:2330", "H100 SXM5 80GB"),
        ("10de:2331", "H100 PCIe"),
        ("10de:2321", "H100 NVL"),
        ("10de:2335", "H200 SXM"),
        ("10de:2329", "H20"),
        ("10de:26b9", "L40S"),
        ("10de:1eb8", "Tesla T4"),
        ("10de:1db6", "Tesla V100 PCIe 32GB"),
        ("10de:2bb5", "RTX PRO 6000 Blackwell Server Edition"),
        ("10de:2901", "B200"),
    ],
)
def test_cards_by_id(pci_id: str, name: str) -> None:
    model = known_gpus().by_id(pci_id)
    assert model is not None
    assert model.model == name
    assert known_gpus().by_name(name) is model


def test_cards_that_share_an_id() -> None:
    known = known_gpus()
    names = [
        known.by_id(pci_id, card)
        for pci_id, card in (
            ("10de:1e30", "10de:129e"),
            ("10de:1e30", "10de:12ba"),
            ("10de:1e30", ""),
            ("10de:25b6", "10de:14a9"),
            ("10de:25b6", ""),
            ("10de:2bb3", "1028:227a"),
            ("10de:2bb3", "10de:204d"),
        )
    ]
    assert [model and model.model for model in names] == [
        "Quadro RTX 8000",
        "Quadro RTX 6000",
        "Quadro RTX 6000",
        "A16",
        "A2",
        "RTX PRO 5000 72GB Blackwell",
        "RTX PRO 5000 Blackwell",
    ]
    assert known.by_id("10de:0000") is None


@pytest.mark.parametrize(
    ("architecture", "bf16", "fp8", "fp4"),
    [
        ("pascal", False, False, False),
        ("volta", False, False, False),
        ("turing", False, False, False),
        ("ampere", True, False, False),
        ("ada", True, True, False),
        ("hopper", True, True, False),
        ("blackwell", True, True, True),
        ("unknown", False, False, False),
    ],
)
def test_number_formats(architecture: Architecture, bf16: bool, fp8: bool, fp4: bool) -> None:
    assert (has_bf16(architecture), has_fp8(architecture), has_fp4(architecture)) == (bf16, fp8, fp4)
    for model in MODELS:
        if model.architecture == architecture:
            assert (model.bf16, model.fp8) == (bf16, fp8)


@pytest.mark.parametrize(
    ("name", "architecture"),
    [
        ("AD104GL [L4]", "ada"),
        ("GA100 [A100 PCIe 80GB]", "ampere"),
        ("GB202GL [RTX PRO 6000 Blackwell Server Edition]", "blackwell"),
        ("GM200GL [Tesla M40]", "maxwell"),
        ("GK210GL [Tesla K80]", "kepler"),
        ("TU104GL [Tesla T4]", "turing"),
        ("Device", "unknown"),
        ("G84 [GeForce 8600 GT]", "unknown"),
        ("", "unknown"),
    ],
)
def test_architecture_by_chip(name: str, architecture: str) -> None:
    assert architecture_of_chip(name) == architecture


@pytest.mark.parametrize(
    ("capability", "architecture"),
    [
        ("3.7", "kepler"),
        ("5.2", "maxwell"),
        ("6.1", "pascal"),
        ("7.0", "volta"),
        ("7.5", "turing"),
        ("8.0", "ampere"),
        ("8.6", "ampere"),
        ("8.7", "ampere"),
        ("8.9", "ada"),
        ("9.0", "hopper"),
        ("10.0", "blackwell"),
        ("12.1", "blackwell"),
        ("2.1", "unknown"),
        ("99.0", "unknown"),
        ("", "unknown"),
        ("8.", "unknown"),
    ],
)
def test_architecture_by_capability(capability: str, architecture: str) -> None:
    assert architecture_of_capability(capability) == architecture


def test_all_architectures_of_the_model_are_ordered() -> None:
    assert {model.architecture for model in MODELS} <= set(ARCHITECTURES)


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        (ada(entry(vram_mb="24 GB")), "gpu_models.ada.0.vram_mb"),
        (ada(entry(capability="8")), "gpu_models.ada.0.capability"),
        (ada(entry(form="mxm")), "gpu_models.ada.0.form"),
        (ada(entry(ids=["10DE:27B8"])), "gpu_models.ada.0.ids.0"),
        (ada(entry(ids=[])), "gpu_models.ada.0.ids"),
        (ada(entry(memory_gb=0)), "gpu_models.ada.0.memory_gb"),
        (ada(entry(extra=1)), "gpu_models.ada.0.extra"),
        (ada(entry(), entry(model="other")), "gpu_models.ada.1"),
        (ada(entry(), entry(ids=["10de:0001"])), "gpu_models.ada.1"),
        ({**ada(entry()), "hopper": [entry(ids=["10de:0001"])]}, "gpu_models.hopper.0"),
        ({"fermi": [entry()]}, "gpu_models.fermi"),
        ("no mapping", "gpu_models"),
    ],
)
def test_wrong_data_is_refused_with_its_path(wrong: object, path: str) -> None:
    with pytest.raises(FindingsError) as caught:
        load_gpus(wrong)
    assert path in [finding.variable for finding in caught.value.findings]


def test_defaults_of_an_entry() -> None:
    (model,) = load_gpus(ada(entry())).all
    assert (model.vram_mb, model.vram_from) == (24 * 1024, "nominal")
    assert (model.form, model.nvlink, model.mig) == ("pcie", False, False)
    assert model.source == "NVIDIA, data sheet of the L4"
    (model,) = load_gpus(ada(entry(model="GeForce X", vram_mb=23034, source=""))).all
    assert (model.vram_mb, model.vram_from) == (23034, "driver")
    assert model.source == "NVIDIA, specifications page of the GeForce X"
