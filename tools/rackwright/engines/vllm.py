"""vLLM's instances on a host: the arguments of each, its GPUs, and its part of the host.

The arguments are those that vLLM documents (engine arguments and `vllm serve`); the test's double knows the
same list and refuses any other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rackwright.errors import RackwrightError

INNER_PORT = 8000
MODEL_ROOT = "/models"
CDI = "nvidia.com/gpu="
# Of each instance what the whole host is given, where it says nothing of its own.
_OWN = (
    "tensor_parallel_size",
    "pipeline_parallel_size",
    "max_model_len",
    "max_num_seqs",
    "gpu_memory_utilization",
    "kv_cache_dtype",
    "dtype",
    "quantization",
)
_ALWAYS = ("tensor_parallel_size", "pipeline_parallel_size", "max_model_len", "gpu_memory_utilization")
# The key must not be seen in a list of processes, and the rest would undo what the role sees to.
_OURS = frozenset({"--api-key", "--host", "--port", "--model", "--served-model-name", "--trust-remote-code"})
# Fractions of one GPU are shares of a whole, and floats.
_WHOLE = 1.0001

Instance = dict[str, Any]


@dataclass(frozen=True)
class Host:
    """What the instances of a host share.

    Attributes:
        ports: Of the zone address, in their order; the first is the first instance's.
        memory_mb: Memory of all instances together.
        cpus: Cores of all instances together.
        shm_mb: Memory that the processes of one instance share, out of its own.
        all_gpus: The CDI name of all GPUs, for an instance that names none; empty on a host without.
        container: Name of the first instance's container; the further ones have a number behind it.
        defaults: Of every instance, by the name of vLLM's argument (with `_`).
    """

    ports: Sequence[int]
    memory_mb: int
    cpus: float
    shm_mb: int
    all_gpus: str
    defaults: Mapping[str, Any]
    container: str = "vllm"


def instances_of(given: Sequence[Mapping[str, Any]], host: Host) -> list[Instance]:
    """Return each instance as the role runs it: container, port, path, arguments, devices, limits.

    Raises:
        RackwrightError: More instances than ports, GPUs that do not fit to the parallel sizes, more of one
            GPU than there is, several hosts for one instance, an argument that the role sets itself.
    """
    if len(given) > len(host.ports):
        raise RackwrightError(
            f"vllm_instances has {len(given)} entries, and the catalogue has {len(host.ports)} ports",
            hint="raise services.vllm.ports.api.further, or serve fewer instances",
        )
    used: dict[int, float] = defaultdict(float)
    found = []
    for number, entry in enumerate(given):
        settings = {**host.defaults, **{key: entry[key] for key in _OWN if entry.get(key) is not None}}
        devices = _devices(entry, settings, host.all_gpus)
        for gpu in entry.get("gpus") or ():
            used[int(gpu)] += float(settings["gpu_memory_utilization"])
        name = f"{host.container}_{number}" if number else host.container
        found.append(
            {
                "container": name,
                "name": str(entry["name"]),
                "port": int(host.ports[number]),
                "path": str(entry["path"]),
                "embedding": bool(entry.get("embedding", False)),
                "arguments": _arguments(entry, settings),
                "devices": devices,
                "memory_mb": host.memory_mb // len(given),
                "cpus": round(host.cpus / len(given), 2),
                "shm_mb": max(64, min(host.shm_mb, host.memory_mb // len(given) // 4)),
            }
        )
    for gpu, share in used.items():
        if share > _WHOLE:
            raise RackwrightError(
                f"vllm_instances: GPU {gpu} is given out {share:.2f} times (gpu_memory_utilization)",
                hint="give the instances different `gpus`, or each a smaller gpu_memory_utilization",
            )
    return found


def _devices(entry: Mapping[str, Any], settings: Mapping[str, Any], all_gpus: str) -> list[str]:
    nodes = entry.get("nodes") or []
    if len(nodes) > 1:
        raise RackwrightError(
            f"vllm_instances: {entry['name']} is to run over the hosts {', '.join(map(str, nodes))}",
            hint="an instance runs on one host; over several needs Ray, which is not set up yet: take a "
            "coarser quantisation, or hosts with more GPUs",
        )
    gpus = entry.get("gpus")
    if not gpus:
        return [all_gpus] if all_gpus else []
    needed = int(settings["tensor_parallel_size"]) * int(settings["pipeline_parallel_size"])
    if len(gpus) != needed:
        raise RackwrightError(
            f"vllm_instances: {entry['name']} has the GPUs {', '.join(map(str, gpus))} and needs {needed} "
            "(tensor_parallel_size x pipeline_parallel_size)",
            hint=f"set its tensor_parallel_size to {len(gpus)}, or name {needed} GPUs",
        )
    return [f"{CDI}{gpu}" for gpu in gpus]


def _arguments(entry: Mapping[str, Any], settings: Mapping[str, Any]) -> list[str]:
    words = ["--model", f"{MODEL_ROOT}/{entry['name']}", "--served-model-name", str(entry["name"])]
    words += [str(name) for name in entry.get("also") or ()]
    words += ["--host", "0.0.0.0", "--port", str(INNER_PORT)]  # noqa: S104 - inside the container
    for key in _OWN:
        value = settings.get(key)
        if value is not None and (key in _ALWAYS or value not in ("", "auto")):
            words += [f"--{key.replace('_', '-')}", str(value)]
    more = [str(word) for word in entry.get("arguments") or ()]
    for word in more:
        if word.partition("=")[0] in _OURS:
            raise RackwrightError(
                f"vllm_instances: {entry['name']} has {word.partition('=')[0]} among its arguments",
                hint="the role sets it itself; remove it (a model with code of its own is not run)",
            )
    return [*words, *more]
