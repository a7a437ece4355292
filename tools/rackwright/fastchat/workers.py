"""The containers of FastChat on one host, from what its role is given.

A worker's name ends in the digest of its whole definition. So a model that changes is another worker: it is
started beside the one that serves, and the old one goes when the new one has made a token.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rackwright.errors import RackwrightError

NETWORK = "fastchat"
CONTROLLER = "fastchat-controller"
PREFIX = "fastchat-worker-"
CONTROLLER_PORT = 21001
# Each worker has an address of its own in the network, so all may have the first of FastChat's usual ports.
WORKER_PORT = 31000
ENTRY = "/run/secrets/entry.py"
_SLUG = 24
# What a worker's interpreter with PyTorch takes before any weight is loaded, in MB.
LEAST_WORKER_MB = 128


class Model(BaseModel):
    """A model as the role's option `fastchat_models` has it.

    Attributes:
        name: By which callers ask for it.
        directory: Folder of the host with its files.
        gpus: One entry for each worker, its GPUs by number (`0`, or `0,1`); none: one worker without GPU.
        conv_template: FastChat's prompt template; empty: the one that it finds by the model's name.
        dtype: Type that it computes with; empty: half precision on GPUs, single on processors.
        load_8bit: Whether the weights are compressed to 8 bits when they are loaded; one GPU only.
        embedding: Whether it is one for embeddings.
        leaving: Whether another one has taken its place: it keeps what it was given, and the others share as
            though it were not there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$")]
    directory: Annotated[str, Field(pattern=r"^/[^:]+$")]
    gpus: list[Annotated[str, Field(pattern=r"^\d+(,\d+)*$")]] = []
    conv_template: str = ""
    dtype: Literal["", "float32", "float16", "bfloat16"] = ""
    load_8bit: bool = False
    embedding: bool = False
    leaving: bool = False


class Settings(BaseModel):
    """What all workers of a host have in common. Memory in MB, CPUs in cores, times in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    image: str
    python: str
    user: str
    entry: str
    memory_mb: int
    cpus: float
    concurrency: int
    max_gpu_memory_mb: int
    heartbeat_seconds: int
    ready_seconds: int
    stop_seconds: int


@dataclass(frozen=True)
class _Worker:
    model: Model
    number: int
    gpus: str

    @property
    def numbers(self) -> list[str]:
        return self.gpus.split(",") if self.gpus else []

    @property
    def label(self) -> str:
        slug = re.sub(r"[^a-z0-9]+", "-", self.model.name.lower()).strip("-")[:_SLUG].strip("-")
        return f"{PREFIX}{slug}-{self.number}"


def workers_of(models: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the workers of a host.

    Args:
        models: The role's models.
        settings: What their containers have in common; memory and cores are those of all together.

    Returns:
        For each: name of the container, model, address in the network, and the definition of its container.

    Raises:
        RackwrightError: A model cannot be used as it is written, or the memory is too small.
    """
    common = Settings.model_validate(settings)
    workers = [
        _Worker(model, number, gpus)
        for model in _checked(models)
        for number, gpus in enumerate(model.gpus or [""])
    ]
    # One that leaves was given its part when there was another worker less.
    sharing = sum(not worker.model.leaving for worker in workers) or len(workers)
    memory_mb = common.memory_mb // max(1, sharing)
    if workers and memory_mb < LEAST_WORKER_MB:
        raise RackwrightError(
            f"fastchat_memory_mb: {memory_mb} MB would be left for each of {sharing} workers, and one "
            f"needs {LEAST_WORKER_MB} MB before any weight is loaded",
            hint="give the host more memory, or serve fewer models on it",
        )
    cpus = max(0.1, round(common.cpus / max(1, sharing), 2))
    return [_container(worker, common, memory_mb, cpus) for worker in workers]


def _checked(models: Sequence[Mapping[str, Any]]) -> list[Model]:
    checked: list[Model] = []
    for number, given in enumerate(models):
        try:
            checked.append(Model.model_validate(given))
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in ("fastchat_models", number, *problem["loc"]))
            raise RackwrightError(
                f"{place}: {problem.get('input')!r}: {problem['msg']}",
                hint="roles/fastchat/README.md has the options",
            ) from None
    names = [model.name for model in checked]
    if twice := {name for name in names if names.count(name) > 1}:
        raise RackwrightError(
            f"fastchat_models: {min(twice)!r} is there twice",
            hint="a model with several workers is one entry with several gpus",
        )
    for model in checked:
        if model.load_8bit and any("," in gpus for gpus in model.gpus):
            raise RackwrightError(
                f"fastchat_models: {model.name}: load_8bit works with one GPU for each worker, and gpus is "
                f"{model.gpus}",
                hint="leave load_8bit out, or give each worker one GPU",
            )
    return checked


def _container(worker: _Worker, common: Settings, memory_mb: int, cpus: float) -> dict[str, Any]:
    limits = {"memory_mb": memory_mb, "cpus": cpus, "pids": 1024, "stop_seconds": common.stop_seconds}
    nameless = _definition(worker, common, "") | limits
    material = json.dumps([common.image, nameless], sort_keys=True)
    name = f"{worker.label}-{hashlib.sha256(material.encode()).hexdigest()[:8]}"
    address = f"http://{name}:{WORKER_PORT}"
    definition = _definition(worker, common, address) | limits
    return {"name": name, "model": worker.model.name, "address": address, "definition": definition}


def _definition(worker: _Worker, common: Settings, address: str) -> dict[str, Any]:
    model = worker.model
    # FastChat chooses the prompt template by what the path says, and the folder may be called after a type.
    path = f"/models/{re.sub(r'[^A-Za-z0-9._-]+', '-', model.name)}"
    controller = f"http://{CONTROLLER}:{CONTROLLER_PORT}"
    proof = "embeddings" if model.embedding else "chat"
    check = ["worker-health", f"http://127.0.0.1:{WORKER_PORT}", address, controller, model.name, proof]
    return {
        "entrypoint": [common.python, "-m", "fastchat.serve.model_worker"],
        "command": [
            *("--host", "0.0.0.0", "--port", str(WORKER_PORT)),  # noqa: S104 - the container's own network
            *("--controller-address", controller, "--model-path", path, "--model-names", model.name),
            *_computing(worker, common),
            *("--worker-address", address),
        ],
        "environment": {
            # Nothing is written to files, and nothing fetched from anywhere.
            "LOGDIR": "",
            "HF_HUB_OFFLINE": "1",
            "TRANSFORMERS_OFFLINE": "1",
            "HOME": "/tmp",  # noqa: S108 - the container's own
            "FASTCHAT_WORKER_HEART_BEAT_INTERVAL": str(common.heartbeat_seconds),
        },
        "secrets": {"entry.py": common.entry},
        "user": common.user,
        "network": NETWORK,
        "volumes": [{"source": model.directory.rstrip("/"), "target": path}],
        "tmpfs": ["/tmp"],  # noqa: S108 - as above
        "devices": [f"nvidia.com/gpu={gpu}" for gpu in worker.numbers],
        "healthcheck": {
            "command": [common.python, ENTRY, *check],
            "timeout_seconds": 30,
            "start_seconds": common.ready_seconds,
        },
    }


def _computing(worker: _Worker, common: Settings) -> list[str]:
    model, gpus = worker.model, worker.numbers
    arguments = ["--device", "cuda" if gpus else "cpu", "--num-gpus", str(max(1, len(gpus)))]
    arguments += ["--limit-worker-concurrency", str(common.concurrency)]
    if len(gpus) > 1 and common.max_gpu_memory_mb:
        arguments += ["--max-gpu-memory", f"{common.max_gpu_memory_mb}MiB"]
    if model.conv_template:
        arguments += ["--conv-template", model.conv_template]
    if model.dtype:
        arguments += ["--dtype", model.dtype]
    return [*arguments, "--load-8bit"] if model.load_8bit else arguments
