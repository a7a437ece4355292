"""What a tier says. Intents only: numbers that depend on a machine are made by `rackwright.sizing`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rackwright.site.variables import Strict

Engine = Literal["llama_cpp", "ollama", "vllm", "fastchat", "localai"]
LogStore = Literal["none", "files", "loki", "elasticsearch"]
VectorStore = Literal["qdrant", "milvus", "weaviate", "chroma", "pgvector"]

ServiceName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
ModelKey = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
Positive = Annotated[int, Field(ge=1)]
NotNegative = Annotated[int, Field(ge=0)]
Weight = Annotated[int, Field(ge=1, le=100)]
Days = Annotated[int, Field(ge=1, le=3650)]


class Users(Strict):
    """For how many people."""

    concurrent: Positive = Field(description="People who use the platform at the same time.")
    company: Positive = Field(description="People who may use it, up to.")


class Inference(Strict):
    """What answers."""

    engine: Engine = Field(description="Program that serves the model.")
    model: ModelKey = Field(description="Key of group_vars/all/models.yml.")
    quantisation: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")] = Field(
        description="One of the model's quantisations there."
    )
    context_tokens: Annotated[int, Field(ge=256)] = Field(
        description="Question and answer of one request together, in tokens."
    )
    parallel_requests: Positive = Field(description="Requests that one instance computes at the same time.")
    instances: Positive = Field(description="How many engines serve the model.")
    cpu_model: ModelKey = Field(description="Model where no GPU is found.")
    more_models: list[ModelKey] = Field(description="Models served beside the first one.")


class Promise(Strict):
    """What each of the tier's concurrent users may expect while all of them ask."""

    first_token_seconds: Annotated[float, Field(gt=0, le=600)] = Field(
        description="To the first token of 95 of 100 answers."
    )
    tokens_per_second: Annotated[float, Field(gt=0)] = Field(description="Of a usual (median) answer.")


class Embedding(Strict):
    """What turns text into vectors."""

    model: ModelKey = Field(description="Key of group_vars/all/models.yml.")


class Retention(Strict):
    """How long things are kept, in days."""

    conversations_days: Days
    audit_days: Days
    temporary_days: Days
    metrics_days: Days
    logs_days: Days
    backups_days: Days


class MachineSize(Strict):
    """What a server has to have."""

    cores: Positive = Field(description="Logical processors.")
    memory_gb: Positive = Field(description="Memory in GB; a machine shows a little less than is sold.")
    gpus: NotNegative
    vram_gb: NotNegative = Field(description="Memory of each GPU in GB.")
    disk_gb: NotNegative = Field(description="All disks together in GB of 10^9 bytes.")
    network_gbps: NotNegative = Field(description="Speed of the link in Gbit/s; 0 asks for none.")


class Machines(Strict):
    """The servers of the tier."""

    minimum: MachineSize
    recommended: MachineSize


class Cost(Strict):
    """What it costs in CNY, and how many people run it."""

    hardware_cny: NotNegative
    monthly_cny: NotNegative
    staff: Annotated[float, Field(ge=0)]


class Tier(Strict):
    """One tier; every key is there in every tier.

    `name` is not part of the file: it is the key that the tier has there.
    """

    title: Annotated[str, Field(min_length=1)]
    users: Users
    inference: Inference
    promise: Promise
    embedding: Embedding
    vector_store: VectorStore
    log_store: LogStore
    replicas: dict[ServiceName, Positive] = Field(
        description="Hosts that should run a service; `inference` stands for the engine, whichever it is."
    )
    shares: dict[ServiceName, Weight] = Field(description="Weight of a service on its host.")
    retention: Retention
    machine: Machines
    cost: Cost
