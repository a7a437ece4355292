"""The models of GPUs of group_vars/all/gpus.yml, found by PCI id."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from rackwright.catalogue.findings import Finding, FindingsError
from rackwright.catalogue.load import parse
from rackwright.hardware.model import Architecture, Gpu, Positive
from rackwright.preflight.finding import HostFinding
from rackwright.site.paths import repository_root
from rackwright.site.variables import Strict
from rackwright.site.yaml_files import read_yaml

SOURCE = "group_vars/all/gpus.yml"
NVIDIA = "10de"

KnownArchitecture = Literal[
    "kepler", "maxwell", "pascal", "volta", "turing", "ampere", "ada", "hopper", "blackwell"
]
Form = Literal["pcie", "sxm", "superchip"]
PciId = Annotated[str, Field(pattern=r"^[0-9a-f]{4}:[0-9a-f]{4}$")]

# The letters that the names of NVIDIA's chips begin with (the PCI ID database, nouveau's list of code names):
# GA102 is an Ampere.
_CHIPS: Mapping[str, Architecture] = {
    "GK": "kepler",
    "GM": "maxwell",
    "GP": "pascal",
    "GV": "volta",
    "TU": "turing",
    "GA": "ampere",
    "AD": "ada",
    "GH": "hopper",
    "GB": "blackwell",
}
# NVIDIA, "CUDA GPU Compute Capability". 8.9 is the one that its major number does not tell.
_CAPABILITIES: Mapping[str, Architecture] = {
    "3": "kepler",
    "5": "maxwell",
    "6": "pascal",
    "8": "ampere",
    "9": "hopper",
    "10": "blackwell",
    "11": "blackwell",
    "12": "blackwell",
}
_EXACT_CAPABILITIES: Mapping[str, Architecture] = {
    "7.0": "volta",
    "7.2": "volta",
    "7.5": "turing",
    "8.9": "ada",
}
# Oldest first; what a later one brings, the following keep.
ARCHITECTURES: tuple[Architecture, ...] = (
    "kepler",
    "maxwell",
    "pascal",
    "volta",
    "turing",
    "ampere",
    "ada",
    "hopper",
    "blackwell",
)


class Entry(Strict):
    """One model of GPU as the file has it."""

    model: str
    ids: Annotated[list[PciId], Field(min_length=1)]
    subsystems: list[PciId] = Field(default=[], description="Only these cards of the ids; empty: all others.")
    capability: Annotated[str, Field(pattern=r"^\d+\.\d$")]
    memory_gb: Positive = Field(description="What the vendor sells it as.")
    vram_mb: Positive | None = Field(default=None, description="What a workload can count on, in MiB.")
    bandwidth_gbs: Positive = Field(description="Of its memory, in GB/s.")
    form: Form = "pcie"
    nvlink: bool = False
    mig: bool = False
    source: str = ""


@dataclass(frozen=True)
class GpuModel:
    """One model of GPU.

    Attributes:
        model: its name, as hardware.yml has it.
        ids: PCI ids, `10de:2204`.
        subsystems: the only cards of these ids that are meant; empty for all that no other model claims.
        architecture: of its chip.
        compute_capability: "8.6".
        memory_gb: what the vendor sells it as.
        vram_mb: what a workload can count on, in MiB.
        vram_from: whether the driver reports that (`driver`) or it is memory_gb * 1024 (`nominal`).
        bandwidth_gbs: of its memory, in GB/s.
        form: how it is built in.
        nvlink: whether it can be joined by NVLink.
        mig: whether it can be partitioned by MIG.
        source: where the figures come from.
    """

    model: str
    ids: tuple[str, ...]
    subsystems: tuple[str, ...]
    architecture: Architecture
    compute_capability: str
    memory_gb: int
    vram_mb: int
    vram_from: Literal["driver", "nominal"]
    bandwidth_gbs: int
    form: Form
    nvlink: bool
    mig: bool
    source: str

    @property
    def bf16(self) -> bool:
        """Whether its tensor cores work with bfloat16."""
        return has_bf16(self.architecture)

    @property
    def fp8(self) -> bool:
        """Whether its tensor cores work with FP8."""
        return has_fp8(self.architecture)

    @property
    def fp4(self) -> bool:
        """Whether its tensor cores work with FP4."""
        return has_fp4(self.architecture)


# What the file may name: an architecture that is not known has no models.
_MODELS = TypeAdapter(dict[KnownArchitecture, list[Entry]])


def _model(architecture: Architecture, entry: Entry) -> GpuModel:
    consumer = entry.model.startswith(("GeForce", "TITAN"))
    return GpuModel(
        model=entry.model,
        ids=tuple(entry.ids),
        subsystems=tuple(entry.subsystems),
        architecture=architecture,
        compute_capability=entry.capability,
        memory_gb=entry.memory_gb,
        vram_mb=entry.vram_mb or entry.memory_gb * 1024,
        vram_from="driver" if entry.vram_mb else "nominal",
        bandwidth_gbs=entry.bandwidth_gbs,
        form=entry.form,
        nvlink=entry.nvlink,
        mig=entry.mig,
        source=entry.source
        or f"NVIDIA, {'specifications page' if consumer else 'data sheet'} of the {entry.model}",
    )


def has_bf16(architecture: Architecture) -> bool:
    """Tell whether an architecture's tensor cores work with bfloat16: from Ampere on."""
    return _since(architecture, "ampere")


def has_fp8(architecture: Architecture) -> bool:
    """Tell whether an architecture's tensor cores work with FP8: from Ada and Hopper on."""
    return _since(architecture, "ada")


def has_fp4(architecture: Architecture) -> bool:
    """Tell whether an architecture's tensor cores work with FP4: Blackwell."""
    return _since(architecture, "blackwell")


def _since(architecture: Architecture, first: Architecture) -> bool:
    known = architecture in ARCHITECTURES
    return known and ARCHITECTURES.index(architecture) >= ARCHITECTURES.index(first)


class GpuModels:
    """All models, by PCI id and by name."""

    def __init__(self, models: Iterable[GpuModel]) -> None:
        self.all = tuple(models)
        self._by_id = {(pci_id, sub): model for model in self.all for pci_id, sub in _keys(model)}
        self._by_name = {model.model: model for model in self.all}

    def by_id(self, pci_id: str, subsystem: str = "") -> GpuModel | None:
        """Return the model of a PCI id; None for one that the data does not have.

        Args:
            pci_id: `10de:2204`.
            subsystem: the card's own id, `10de:147d`, where it is known; it parts models of the same id.
        """
        return self._by_id.get((pci_id, subsystem)) or self._by_id.get((pci_id, ""))

    def by_name(self, model: str) -> GpuModel | None:
        """Return the model of a name as hardware.yml has it; None for another."""
        return self._by_name.get(model)

    def of(self, gpu: Gpu) -> GpuModel | None:
        """Return the model of a GPU that a scan has found; None where the data does not have it."""
        return self.by_name(gpu.model) or self.by_id(gpu.pci_id)


def _keys(model: GpuModel) -> list[tuple[str, str]]:
    return [(pci_id, sub) for pci_id in model.ids for sub in model.subsystems or ("",)]


def load_gpus(gpu_models: object) -> GpuModels:
    """Return the models that the variable `gpu_models` holds.

    Raises:
        FindingsError: anything in it is wrong; holds every finding.
    """
    findings: list[Finding] = []
    entries = parse(_MODELS, "gpu_models", gpu_models, findings) or {}
    placed = {
        f"gpu_models.{architecture}.{number}": _model(architecture, entry)
        for architecture, listed in entries.items()
        for number, entry in enumerate(listed)
    }
    findings.extend(_shared(placed))
    if findings:
        raise FindingsError(findings)
    return GpuModels(placed.values())


def _shared(placed: Mapping[str, GpuModel]) -> Iterator[Finding]:
    """Yield what two models claim: a name or an id stands for one of them."""
    owners: dict[object, str] = {}
    for place, model in placed.items():
        for claim in (model.model, *_keys(model)):
            if owners.setdefault(claim, place) != place:
                yield Finding(
                    place,
                    f"{model.model}: {claim if isinstance(claim, str) else ' '.join(claim).strip()}",
                    f"{owners[claim]} has it already: a name or an id stands for one model",
                    "remove it from one of them, or tell the cards apart by `subsystems`",
                    where=SOURCE,
                )


@cache
def known_gpus() -> GpuModels:
    """Return the models of this repository's group_vars/all/gpus.yml.

    Raises:
        FindingsError: the file is wrong.
    """
    return load_gpus(read_yaml(repository_root() / SOURCE)["gpu_models"])


def architecture_of_chip(name: str) -> Architecture:
    """Return the architecture of a card by its name in the PCI ID database: `AD104GL [L4]` is an Ada."""
    match = re.match(r"(GK|GM|GP|GV|TU|GA|AD|GH|GB)\d{2,3}[A-Z]?", name)
    return _CHIPS[match[1]] if match else "unknown"


def architecture_of_capability(capability: str) -> Architecture:
    """Return the architecture of a compute capability: `8.9` is an Ada; `unknown` for any other text."""
    if not re.fullmatch(r"\d+\.\d+", capability):
        return "unknown"
    return _EXACT_CAPABILITIES.get(capability) or _CAPABILITIES.get(capability.partition(".")[0], "unknown")


def unknown_findings(host: str, gpus: Iterable[Gpu]) -> list[HostFinding]:
    """Return a finding for each GPU that the data does not have."""
    return [
        HostFinding(
            severity="warning",
            host=host,
            check="gpu",
            found=f"{gpu.pci_id} at {gpu.pci_address} ({gpu.model}), architecture {gpu.architecture}",
            needed=f"a model of {SOURCE}",
            mend=f"add it to {SOURCE} by its data sheet; "
            + (
                f"until then {gpu.vram_mb} MiB, as the driver says, are planned with"
                if gpu.vram_mb
                else "until then, or until a driver tells its memory, nothing is placed on it"
            ),
        )
        for gpu in gpus
        if known_gpus().of(gpu) is None
    ]
