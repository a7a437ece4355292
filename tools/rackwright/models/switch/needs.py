"""What a site's models need on one of its hosts, before and after a switch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rackwright.models.catalogue import models_of
from rackwright.models.fit import SHARE
from rackwright.models.switch.room import Room
from rackwright.models.switch.target import Target, need_mb, standing
from rackwright.models.switch.ways import Value, Way, instances

# The names that each engine's settings have for context and requests of the planner.
_CONTEXT = ("context_tokens", "context_length", "max_model_len")
_PARALLEL = ("parallel", "num_parallel", "max_num_seqs", "concurrency")
# FastChat has no setting of its own: what its models were trained for, and no less than a usual conversation.
_USUAL_CONTEXT = 4096


@dataclass(frozen=True)
class Host:
    """One host of the engine.

    Attributes:
        name: Inventory name.
        variables: Its variables.
        settings: The engine's numbers on it.
    """

    name: str
    variables: Mapping[str, Any]
    settings: Mapping[str, Any]

    @property
    def gpus(self) -> Sequence[int]:
        """Memory of each GPU in MB; none where none was found."""
        hardware = self.variables.get("hardware")
        found = hardware.get("gpus") or () if isinstance(hardware, Mapping) else ()
        return [int(gpu["vram_mb"]) for gpu in found]


def room_of(way: Way, host: Host, value: Value, new: Target) -> Room:
    """Return what a host has and what its models need.

    A model of which nothing is known is counted as much as the new one.
    """
    if way.engine == "vllm" and host.gpus:
        return _reserved(way, host, value)
    models, settings = models_of(host.variables), host.settings
    context = int(next((settings[key] for key in _CONTEXT if key in settings), _USUAL_CONTEXT))
    parallel = int(next(settings[key] for key in _PARALLEL if key in settings))
    beside = int(host.variables.get("llama_cpp_prompt_cache_mb") or 0) if way.engine == "llama_cpp" else 0

    def need(target: Target) -> int | None:
        counted = need_mb(target, models, way.engine, context, parallel)
        return None if counted is None else counted + beside

    asked = need(new) or 0
    known = {entry: standing(each, host.variables) for entry, each in enumerate(way.entries(value))}
    needs = {number: need(target) or asked for number, target in known.items()}
    ours = instances(way, value)
    old = sum(needs.values())
    after = old - sum(needs[number] for number in ours) + asked * len(ours)
    return Room(
        host.name,
        "GPU memory" if host.gpus else "memory",
        round(sum(host.gpus) * SHARE) if host.gpus else int(settings["memory_mb"]),
        old,
        # A second server of LocalAI also has what is served beside the model, since its callers come along.
        after if way.engine == "localai" else asked * len(ours),
        after,
        way.beside == "container",
    )


def _reserved(way: Way, host: Host, value: Value) -> Room:
    """Return the room on the fullest GPU: vLLM takes its share whole, whatever the model needs of it."""
    usual = float(host.settings["gpu_memory_utilization"])
    shares = dict.fromkeys(range(len(host.gpus)), 0.0)
    second = dict(shares)
    ours = set(instances(way, value))
    for number, entry in enumerate(way.entries(value)):
        for gpu in entry.get("gpus") or shares:
            share = float(entry.get("gpu_memory_utilization") or usual)
            shares[int(gpu)] = shares.get(int(gpu), 0.0) + share
            second[int(gpu)] = second.get(int(gpu), 0.0) + (share if number in ours else 0.0)
    fullest = max(shares, key=lambda gpu: shares[gpu] + second[gpu])
    vram = host.gpus[fullest] if fullest < len(host.gpus) else min(host.gpus)
    used = round(shares[fullest] * vram)
    return Room(host.name, "GPU memory", vram, used, round(second[fullest] * vram), used, twice=True)
