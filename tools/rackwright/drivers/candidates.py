"""Which sources can serve a machine, and why the others cannot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rackwright.compatibility.drivers import architectures_of, ended, flavours_for, serves
from rackwright.compatibility.engines import driver_needed, engine_facts
from rackwright.compatibility.kernels import builds, known_failure, packaged, system_of
from rackwright.compatibility.model import BranchFacts, Compatibility, Flavour
from rackwright.compatibility.version import at_least
from rackwright.drivers.plan import Wishes
from rackwright.drivers.sources import DriverSource
from rackwright.hardware.model import Hardware

_DISTRIBUTION = ("debian", "debian-backports", "ubuntu")
_RANK = {"debian": 0, "ubuntu": 0, "debian-backports": 1, "nvidia": 2}


@dataclass(frozen=True)
class Candidate:
    """A source that serves the machine, with the flavour that it would be installed in."""

    source: DriverSource
    branch: BranchFacts
    flavour: Flavour
    alive: bool
    signed: bool


@dataclass(frozen=True)
class Rejected:
    """A source that does not, and why."""

    source: DriverSource
    why: str


def judge(
    hardware: Hardware,
    kernel: str,
    wishes: Wishes,
    sources: Iterable[DriverSource],
    known: Compatibility,
) -> tuple[list[Candidate], list[Rejected]]:
    """Part the sources of this machine's system in those that serve it, the best first, and the others."""
    good: list[Candidate] = []
    bad: list[Rejected] = []
    for source in sources:
        if source.system != system_of(hardware):
            continue
        verdict = _judge(source, hardware, kernel, wishes, known)
        if isinstance(verdict, Candidate):
            good.append(verdict)
        else:
            bad.append(Rejected(source, verdict))
    return sorted(good, key=_preference), bad


def _preference(candidate: Candidate) -> tuple[int, ...]:
    """The distribution before others; what is still supported, kept for long, and newer before the rest."""
    branch = candidate.branch
    return (
        _RANK[candidate.source.source],
        0 if candidate.alive else 1,
        0 if branch.kind == "long_term" and candidate.source.source == "nvidia" else 1,
        -branch.branch,
    )


def _judge(
    source: DriverSource, hardware: Hardware, kernel: str, wishes: Wishes, known: Compatibility
) -> Candidate | str:
    branch = known.branch(source.branch)
    if branch is None:
        return f"branch {source.branch} is not among those of group_vars/all/compatibility.yml"
    facts = [known.architectures[name] for name in architectures_of(hardware) if name in known.architectures]
    allowed = [flavour for flavour in flavours_for(facts, branch) if flavour in source.kernel_package]
    if hardware.system.architecture == "aarch64" and "open" in allowed:
        # Grace's coherent memory is driven by the open modules alone.
        allowed = ["open"]
    refused = (
        _unwished(source, wishes)
        or _wrong_machine(source, hardware)
        or branch_problem(source.branch, hardware, wishes, known)
        or _fabric(source, hardware)
        or _no_modules(source, allowed, wishes)
    )
    if refused:
        return refused
    wanted = [wishes.flavour] if wishes.flavour is not None else allowed
    alive = wishes.today is None or not ended(branch, wishes.today)
    if hardware.system.secure_boot and source.signed.get(wanted[0]):
        return Candidate(source, branch, wanted[0], alive, signed=True)
    reasons = []
    for flavour in wanted:
        reason = _does_not_build(source, flavour, kernel, branch, known)
        if not reason:
            return Candidate(source, branch, flavour, alive, signed=False)
        reasons.append(reason)
    return reasons[0]


def _no_modules(source: DriverSource, allowed: list[Flavour], wishes: Wishes) -> str:
    if not allowed:
        return f"branch {source.branch} has no kernel modules here that drive these GPUs"
    if wishes.flavour is not None and wishes.flavour not in allowed:
        return f"its {wishes.flavour} kernel modules do not drive these GPUs, or are not packaged"
    return ""


def _unwished(source: DriverSource, wishes: Wishes) -> str:
    if wishes.source == "distribution" and source.source not in _DISTRIBUTION:
        return "the site wants the distribution's packages (nvidia_driver_source)"
    if wishes.source == "backports" and source.source != "debian-backports":
        return "the site wants the packages of Debian's backports (nvidia_driver_source)"
    if wishes.source not in {None, "distribution", "backports"} and source.source != "nvidia":
        return f"the site wants NVIDIA's repository (nvidia_driver_source: {wishes.source})"
    if wishes.branch is not None and source.branch != wishes.branch:
        return f"the site wants branch {wishes.branch} (nvidia_driver_branch)"
    return ""


def _wrong_machine(source: DriverSource, hardware: Hardware) -> str:
    if hardware.system.architecture not in source.machines:
        return f"it has no packages for {hardware.system.architecture}"
    return ""


def branch_problem(branch: int, hardware: Hardware, wishes: Wishes, known: Compatibility) -> str:
    """Return why a branch does not serve these GPUs or the engine; empty when it does."""
    return _too_old_or_new(branch, hardware, known) or _engine(branch, hardware, wishes, known)


def _too_old_or_new(branch: int, hardware: Hardware, known: Compatibility) -> str:
    for name in architectures_of(hardware):
        facts = known.architectures.get(name)
        if facts is None or serves(facts, branch):
            continue
        if branch < facts.first_branch:
            return f"branch {branch} does not know {name}: {facts.first_branch} is the first that does"
        return f"branch {branch} dropped {name}: {facts.last_branch} is the last that drives it"
    return ""


def _engine(branch: int, hardware: Hardware, wishes: Wishes, known: Compatibility) -> str:
    if wishes.engine is None:
        return ""
    facts = engine_facts(wishes.engine, wishes.engine_version, known)
    if facts is None:
        return ""
    for gpu in hardware.gpus:
        needed, why = driver_needed(facts, gpu, known)
        if branch < needed:
            return f"{wishes.engine} needs branch {needed} or newer: {why}"
    return ""


def fabric_generation(hardware: Hardware) -> str:
    """Return which kind of NVSwitch joins the GPUs: nvlink, nvlink5, or nothing."""
    if not hardware.nvswitch:
        return ""
    return "nvlink5" if "blackwell" in architectures_of(hardware) else "nvlink"


def _fabric(source: DriverSource, hardware: Hardware) -> str:
    generation = fabric_generation(hardware)
    if generation and not getattr(source.fabric_manager, generation):
        return "it has no fabric manager for this machine's NVSwitch"
    return ""


def _does_not_build(
    source: DriverSource, flavour: Flavour, kernel: str, branch: BranchFacts, known: Compatibility
) -> str:
    if branch.kernel_min is not None and not at_least(kernel, branch.kernel_min):
        return f"branch {branch.branch} needs kernel {branch.kernel_min} or newer"
    if source.version is None:
        return ""
    package = source.kernel_package[flavour]
    failure = known_failure(package, source.version, kernel, known)
    if failure is not None:
        return f"{package} {source.version} does not build against {kernel}: {failure.reason}"
    entry = packaged(package, source.version, known)
    if entry is not None and not builds(entry, kernel, known):
        return f"{package} {source.version} is built with kernels up to {entry.kernel_max}, not {kernel}"
    return ""
