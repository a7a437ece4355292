"""How the engines of one machine share its GPUs.

Every engine may use every GPU (tensor parallelism), so each GPU is cut the same way: the part of one engine
is a fraction of each, and the fractions of all stay below one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rackwright.sizing.explained import Explained, Scalar
from rackwright.sizing.machine import Machine
from rackwright.sizing.refusal import Change, RefusedError

GPU_SERVICES = ("ollama", "vllm", "fastchat", "localai")
# These do nothing at all without one.
NEEDS_GPU = frozenset({"vllm", "fastchat"})
# What the driver, a context of each process and a display take.
RESERVE_PERCENT = 5
SMALLEST_RESERVE_MB = 512
# The most that vLLM's own default gives one engine.
LARGEST_PERCENT = 92
SMALLEST_PART_MB = 2048
_SOURCE = "docs/sizing.md, GPUs"


@dataclass(frozen=True)
class GpuPart:
    """What one engine gets of each GPU: the fraction, and MiB where the GPUs are known."""

    fraction: Explained
    vram_mb: Explained | None


def gpu_budget(machine: Machine, weights: Mapping[str, int]) -> dict[str, GpuPart]:
    """Share each GPU among the engines of a host.

    Args:
        machine: The host; with no GPU only engines that can do without one are accepted, and get none.
        weights: Weight of each service of the host.

    Raises:
        RefusedError: An engine that needs a GPU on a host without one, or a part of a GPU too small to use.
    """
    engines = {name: weights[name] for name in GPU_SERVICES if name in weights}
    if machine.gpus is not None and not machine.gpus:
        for name in engines:
            if name in NEEDS_GPU:
                raise RefusedError(
                    f"{name} needs a GPU, and the host has none",
                    [
                        Change(
                            "move", name, f"move {name} to a host with a GPU, or take llama_cpp as the engine"
                        )
                    ],
                )
        return {}
    total = sum(engines.values())
    return {name: _part(machine, name, weight, total) for name, weight in engines.items()}


def _part(machine: Machine, name: str, weight: int, total: int) -> GpuPart:
    inputs: dict[str, Scalar] = {"weight": weight, "weights": total}
    smallest = None if machine.gpus is None else min(gpu.vram_mb for gpu in machine.gpus)
    usable_percent = 100 - RESERVE_PERCENT
    if smallest:
        inputs["vram_mb"] = smallest
        kept = max(SMALLEST_RESERVE_MB, smallest * RESERVE_PERCENT // 100)
        usable_percent = 100 * (smallest - kept) // smallest
    percent = min(LARGEST_PERCENT, usable_percent * weight // total)
    rule = f"(1 - reserve) x weight / weights, at most {LARGEST_PERCENT} %; reserve {RESERVE_PERCENT} %"
    fraction = Explained(percent / 100, "", rule, inputs, "vLLM documentation, gpu_memory_utilization")
    if not smallest:
        return GpuPart(fraction, None)
    vram_mb = smallest * percent // 100
    if vram_mb < SMALLEST_PART_MB:
        raise RefusedError(
            f"{name} would get {vram_mb} of each GPU's {smallest} MB: an engine needs {SMALLEST_PART_MB} MB",
            [Change("move", name, f"move {name} to another host")],
        )
    return GpuPart(fraction, Explained(vram_mb, "MB", "fraction of the smallest GPU", inputs, _SOURCE))
