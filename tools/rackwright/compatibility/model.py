"""The shape of group_vars/all/compatibility.yml. Each fact has a source."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rackwright.hardware.model import Architecture
from rackwright.site.variables import Strict

VersionText = Annotated[str, Field(pattern=r"^\d+(\.\d+)*$")]
Capability = Annotated[str, Field(pattern=r"^\d+\.\d$")]
Source = Annotated[str, Field(min_length=8)]
Branch = Annotated[int, Field(ge=300)]
Flavour = Literal["open", "proprietary"]


class ArchitectureFacts(Strict):
    """One generation of GPUs."""

    compute: Annotated[list[Capability], Field(min_length=1)]
    first_branch: Branch
    last_branch: Branch | None
    open_modules: Literal["impossible", "possible", "required"]
    last_cuda: int | None = Field(
        description="The last CUDA major version whose programs can be built for it."
    )
    source: Source


class BranchFacts(Strict):
    """One driver branch."""

    branch: Branch
    kind: Literal["legacy", "new_feature", "production", "long_term"]
    cuda: VersionText
    ends: Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")] | None
    open_modules: Literal["none", "early", "recommended", "only"]
    kernel_min: VersionText | None
    glibc_min: VersionText | None
    source: Source


class CudaFacts(Strict):
    """The oldest branch that runs programs of a CUDA major version."""

    cuda: int
    branch: Branch
    source: Source


class KernelPackage(Strict):
    """A distribution's package of the kernel module, and the newest kernel it was built with."""

    system: Annotated[str, Field(pattern=r"^[a-z]+-[0-9.]+$")]
    suite: str
    package: str
    version: str
    branch: Branch
    kernel_max: VersionText
    source: Source


class KnownFailure(Strict):
    """A kernel module that does not build against some kernels."""

    package: str
    version: str
    kernel_from: VersionText
    kernel_below: VersionText | None
    reason: str
    instead: str
    source: Source


class EngineDriver(Strict):
    """A driver that an engine wants for old GPUs."""

    compute_max: Capability
    driver_min: Branch


class EngineFacts(Strict):
    """An engine from one version on."""

    from_: VersionText = Field(alias="from")
    compute_min: Capability
    cuda: VersionText
    driver_min: Branch | None
    drivers: list[EngineDriver]
    source: Source


class Quantisation(Strict):
    """What GPUs can compute with, or at least store, a kind of weights."""

    engines: Annotated[list[str], Field(min_length=1)]
    compute_min: Capability
    weight_only_min: Capability | None
    weight_only_how: str
    source: Source


class Compatibility(Strict):
    """All of it."""

    architectures: dict[Architecture, ArchitectureFacts]
    branches: Annotated[list[BranchFacts], Field(min_length=1)]
    cuda_majors: Annotated[list[CudaFacts], Field(min_length=1)]
    kernel_packages: list[KernelPackage]
    known_failures: list[KnownFailure]
    engines: dict[str, Annotated[list[EngineFacts], Field(min_length=1)]]
    quantisations: dict[str, Quantisation]

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        numbers = [entry.branch for entry in self.branches]
        if numbers != sorted(set(numbers)):
            raise ValueError("branches must be in rising order, each once")
        for name, facts in self.architectures.items():
            for branch in (facts.first_branch, facts.last_branch):
                if branch is not None and branch not in numbers:
                    raise ValueError(f"architecture {name}: branch {branch} is not among the branches")
        for engine, entries in self.engines.items():
            versions = [tuple(int(part) for part in entry.from_.split(".")) for entry in entries]
            if versions != sorted(set(versions)):
                raise ValueError(f"engine {engine}: its versions must be in rising order, each once")
        for kind, weights in self.quantisations.items():
            unknown = sorted(set(weights.engines) - set(self.engines))
            if unknown:
                raise ValueError(f"quantisation {kind}: no engine is called {', '.join(unknown)}")
        return self

    def branch(self, number: int) -> BranchFacts | None:
        """Return what is known of a branch; None where nothing is."""
        return next((entry for entry in self.branches if entry.branch == number), None)
