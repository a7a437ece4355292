"""Engines and quantisations: what GPUs and drivers they need."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rackwright.compatibility.model import Compatibility, EngineFacts, Quantisation
from rackwright.compatibility.version import at_least, version
from rackwright.compatibility.wanted import Wanted
from rackwright.hardware.model import Gpu, Hardware
from rackwright.preflight.finding import HostFinding

_GGUF = re.compile(r"(i?q|tq)\d|f16$|f32$")
# Ending of a quantisation's name: the weights are stored so, computing is done with more bits.
_STORED = "_weight_only"


def engine_facts(engine: str, engine_version: str | None, known: Compatibility) -> EngineFacts | None:
    """Return what holds for a version of an engine (None: its newest); None where nothing is known."""
    entries = known.engines.get(engine, [])
    if engine_version is None:
        return entries[-1] if entries else None
    fitting = [entry for entry in entries if at_least(engine_version, entry.from_)]
    return fitting[-1] if fitting else None


def quantisation_family(name: str, known: Compatibility) -> str | None:
    """Return the kind of weights that a quantisation's name stands for: q4_k_m is gguf. None: not known."""
    lower = name.lower().removesuffix(_STORED)
    if lower in known.quantisations:
        return lower
    return "gguf" if _GGUF.match(lower) else None


def driver_needed(facts: EngineFacts, gpu: Gpu, known: Compatibility) -> tuple[int, str]:
    """Return the oldest driver branch that an engine takes for a GPU, and why."""
    major = version(facts.cuda)[0]
    built = f"its builds use CUDA {facts.cuda}"
    needs = [(entry.branch, built) for entry in known.cuda_majors if entry.cuda == major]
    if facts.driver_min is not None:
        needs.append((facts.driver_min, "the engine's documentation says so"))
    needs += [
        (entry.driver_min, f"the engine wants it for compute capability up to {entry.compute_max}")
        for entry in facts.drivers
        if gpu.compute_capability and at_least(entry.compute_max, gpu.compute_capability)
    ]
    return max(needs, default=(0, ""))


def engine_findings(
    hardware: Hardware, wanted: Wanted, branch: int | None, known: Compatibility
) -> Iterator[HostFinding]:
    """Say why an engine does not run on the GPUs of a host."""
    if wanted.engine is None or not hardware.gpus:
        return
    facts = engine_facts(wanted.engine, wanted.engine_version, known)
    if facts is None:
        return
    title = f"{wanted.engine} {wanted.engine_version or f'{facts.from_} or newer'}"
    for gpu in _kinds(hardware):
        if not at_least(gpu.compute_capability, facts.compute_min):
            yield HostFinding(
                "error",
                wanted.host,
                "engine",
                f"{gpu.model}, compute capability {gpu.compute_capability}",
                f"{facts.compute_min} or higher for {title}",
                _another_engine(gpu, wanted, known),
            )
            continue
        architecture = known.architectures.get(gpu.architecture)
        major = version(facts.cuda)[0]
        if architecture and architecture.last_cuda is not None and major > architecture.last_cuda:
            yield HostFinding(
                "error",
                wanted.host,
                "engine",
                f"{gpu.model}: CUDA {architecture.last_cuda} is the last for {gpu.architecture}",
                f"CUDA {facts.cuda} for {title}",
                _another_engine(gpu, wanted, known),
            )
        needed, why = driver_needed(facts, gpu, known)
        if branch is not None and branch < needed:
            yield HostFinding(
                "error",
                wanted.host,
                "engine_driver",
                f"driver branch {branch}",
                f"branch {needed} or newer for {title}: {why}",
                f"nvidia_driver_branch: {_branch_from(needed, gpu, known)}, or leave it out",
            )


def quantisation_findings(hardware: Hardware, wanted: Wanted, known: Compatibility) -> Iterator[HostFinding]:
    """Say why weights of a kind cannot be served by the GPUs of a host."""
    family = quantisation_family(wanted.quantisation, known) if wanted.quantisation else None
    if family is None or not hardware.gpus:
        return
    kind = known.quantisations[family]
    if wanted.engine is not None and wanted.engine in known.engines and wanted.engine not in kind.engines:
        yield HostFinding(
            "error",
            wanted.host,
            "quantisation",
            f"{wanted.quantisation} with {wanted.engine}",
            f"an engine that serves it: {', '.join(kind.engines)}",
            f"take the engine {kind.engines[0]}, or another quantisation",
        )
        return
    stored = str(wanted.quantisation).lower().endswith(_STORED)
    needed = (kind.weight_only_min if stored else None) or kind.compute_min
    for gpu in _kinds(hardware):
        if not at_least(gpu.compute_capability, needed):
            yield _cannot_compute(gpu, family, kind, wanted, known, needed)


def _cannot_compute(
    gpu: Gpu, family: str, kind: Quantisation, wanted: Wanted, known: Compatibility, needed: str
) -> HostFinding:
    others = [
        name
        for name, other in known.quantisations.items()
        if at_least(gpu.compute_capability, other.compute_min)
        and (wanted.engine is None or wanted.engine in other.engines)
    ]
    mend = f"take one of {', '.join(others)}" if others else "take another engine"
    stored = kind.weight_only_min
    if stored is not None and at_least(gpu.compute_capability, stored):
        mend += (
            f"; weights alone can be stored as {family} by {kind.weight_only_how}, which saves memory and no "
            f"time: say so by {family}{_STORED}"
        )
    return HostFinding(
        "error",
        wanted.host,
        "quantisation",
        f"{gpu.model}, compute capability {gpu.compute_capability}",
        f"{needed} or higher for {wanted.quantisation}",
        mend,
    )


def _kinds(hardware: Hardware) -> list[Gpu]:
    """Return one GPU of each model whose compute capability is known."""
    return list({gpu.model: gpu for gpu in hardware.gpus if gpu.compute_capability}.values())


def _another_engine(gpu: Gpu, wanted: Wanted, known: Compatibility) -> str:
    for engine, entries in known.engines.items():
        for entry in reversed(entries):
            architecture = known.architectures.get(gpu.architecture)
            last = architecture.last_cuda if architecture else None
            if at_least(gpu.compute_capability, entry.compute_min) and (
                last is None or version(entry.cuda)[0] <= last
            ):
                if engine != wanted.engine:
                    return f"take the engine {engine}"
                break
    return "take a newer GPU, or serve from the processors (cpu_model of the tier)"


def _branch_from(needed: int, gpu: Gpu, known: Compatibility) -> int:
    facts = known.architectures.get(gpu.architecture)
    fitting = [
        entry
        for entry in known.branches
        if entry.branch >= needed
        and (facts is None or facts.last_branch is None or entry.branch <= facts.last_branch)
    ]
    stable = [entry.branch for entry in fitting if entry.kind == "long_term"]
    if stable:
        return stable[-1]
    return fitting[-1].branch if fitting else needed
