"""What `group_vars/all/models.yml` says of a model and of a quantisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from rackwright.site.variables import Strict

Purpose = Literal["chat", "code", "embedding", "rerank"]
Format = Literal["gguf", "safetensors"]
Method = Literal["gguf", "bf16", "fp32", "fp8", "awq", "gptq"]
Source = Literal["ollama", "huggingface", "modelscope"]
Server = Literal["ollama", "llama_cpp", "localai", "vllm", "fastchat", "sentence_transformers"]

MODEL_KEY = r"^[a-z0-9][a-z0-9.]*(-[a-z0-9.]+)*$"
REPOSITORY = r"^[A-Za-z0-9][\w.-]*/[\w.-]+$"
OLLAMA_NAME = r"^([a-z0-9][\w.-]*/)?[a-z0-9][\w.-]*:[\w.-]+$"

Positive = Annotated[int, Field(ge=1)]
NotNegative = Annotated[int, Field(ge=0)]
Bits = Annotated[float, Field(gt=0, le=32)]
Billions = Annotated[float, Field(gt=0, le=10_000)]
Repository = Annotated[str, Field(pattern=REPOSITORY)]


class Quantisation(Strict):
    """What a weight takes."""

    format: Format = Field(description="Of the files.")
    method: Method = Field(description="Its name in group_vars/all/compatibility.yml.")
    bits: Bits = Field(description="Of a weight of the layers' matrices, their scales included.")
    raised: Bits | None = Field(
        default=None, description="Of half of the value and down matrices, in GGUF's K_M mixtures."
    )
    output: Bits = Field(description="Of a weight of the output matrix.")
    embedding: Bits = Field(description="Of a weight of the embedding matrix.")
    group: Positive = Field(default=1, description="Weights that share a scale.")
    engines: Annotated[list[Server], Field(min_length=1)] = Field(description="Programs that read it.")


class Parameters(Strict):
    """Parameters in billions, as published."""

    total: Billions
    active: Billions = Field(description="Those that one token uses.")
    other: Annotated[float, Field(ge=0)] = Field(
        default=0.0, description="Of the total, those of an image encoder; they stay at 16 bits."
    )


class Experts(Strict):
    """Feed-forward layers of which a token uses a few."""

    count: Positive
    active: Positive = Field(description="Experts that one token uses, shared ones not counted.")
    shared: NotNegative = Field(description="Experts that every token uses.")
    ffn: Positive = Field(description="Size of one expert.")
    dense_layers: NotNegative = Field(description="Layers that have no experts.")


class Mla(Strict):
    """Attention over a compressed cache: one vector per token and layer, whatever the number of heads."""

    kv_rank: Positive
    q_rank: NotNegative = Field(description="0 where queries are not compressed.")
    rope_size: Positive
    nope_size: Positive
    value_size: Positive


class Window(Strict):
    """Layers that see only the last tokens."""

    tokens: Positive
    layers: Positive


class Linear(Strict):
    """Layers with a state of fixed size instead of a cache (Gated DeltaNet)."""

    layers: Positive
    key_heads: Positive
    key_size: Positive
    value_heads: Positive
    value_size: Positive
    convolution: Positive = Field(description="Tokens that the convolution before the state sees.")


class Architecture(Strict):
    """Shape of a model, as in its config.json."""

    kind: Literal["decoder", "encoder"] = "decoder"
    layers: Positive
    hidden: Positive
    heads: Positive
    kv_heads: Positive
    head_size: Positive
    ffn: Positive = Field(description="Size of a dense feed-forward layer.")
    vocabulary: Positive
    tied: bool = Field(default=False, description="Input and output embeddings are one matrix.")
    bias: bool = Field(default=False, description="The query, key and value matrices have a bias.")
    gate: bool = Field(default=False, description="The query matrix is doubled to gate the output.")
    gated: bool = Field(default=True, description="The feed-forward layer has a gate.")
    positions: NotNegative = Field(default=0, description="Learned positions; 0 where they are computed.")
    experts: Experts | None = None
    mla: Mla | None = None
    window: Window | None = None
    linear: Linear | None = None

    @property
    def attention_layers(self) -> int:
        """Layers that keep a cache."""
        return self.layers - (self.linear.layers if self.linear else 0)


class Build(Strict):
    """Where a quantisation of a model can be had."""

    ollama: Annotated[str, Field(pattern=OLLAMA_NAME)] | None = None
    hub: Repository | None = Field(default=None, description="Has this name in both hubs.")
    huggingface: Repository | None = None
    modelscope: Repository | None = None
    files: str | None = Field(default=None, description="Pattern of the repository's files.")
    full_cache: bool = Field(
        default=False, description="Of a model with mla: made before llama.cpp kept its cache compressed."
    )

    def names(self) -> dict[Source, str]:
        """Return the name of the build in each source that has it."""
        found: dict[Source, str | None] = {
            "ollama": self.ollama,
            "huggingface": self.huggingface or self.hub,
            "modelscope": self.modelscope or self.hub,
        }
        return {source: name for source, name in found.items() if name is not None}


class Model(Strict):
    """One model."""

    title: Annotated[str, Field(min_length=1)]
    licence: Annotated[str, Field(min_length=1)]
    purposes: Annotated[list[Purpose], Field(min_length=1)]
    parameters: Parameters
    context: Positive = Field(description="Tokens that it was trained for.")
    architecture: Architecture
    builds: Annotated[dict[str, Build], Field(min_length=1)]
    source: Annotated[str, Field(min_length=1)] = Field(description="Who says so.")

    def serves(self, *purposes: Purpose) -> bool:
        """Tell whether it is made for one of these purposes."""
        return any(purpose in self.purposes for purpose in purposes)


@dataclass(frozen=True)
class Models:
    """All models and quantisations by key, in the file's order."""

    models: Mapping[str, Model]
    quantisations: Mapping[str, Quantisation]
