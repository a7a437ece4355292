"""How each engine uses memory: what it splits over GPUs, what it keeps beside weights and cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Split = Literal["tensor", "layer"]

# What the driver takes for a context on each GPU, in MiB.
CONTEXT_MIB = 457
CONTEXT_SOURCE = "Ollama, discover: the memory that it sets aside on each CUDA device"
# What a group of GPUs needs to talk to each other, on each of them, in MiB.
GROUP_MIB = 307
GROUP_SOURCE = "vLLM's own log of a 32B model on two GPUs (vllm-project/vllm issue 15815): 0.30 GiB"

# Bits of one number in the cache, its scales included.
CACHE_BITS: Mapping[str, float] = {"f16": 16.0, "q8_0": 8.5, "q4_0": 4.5, "fp8": 8.0}


@dataclass(frozen=True)
class Engine:
    """One engine's way with memory.

    Attributes:
        name: As tiers and hosts name it.
        split: `tensor`: each GPU has a part of every layer, so the GPUs divide the heads; `layer`: each has
            some layers.
        batch_tokens: Prompt tokens that one step computes.
        cache_types: Types of the cache, finest first.
        cpu: Whether it serves a model without a GPU.
    """

    name: str
    split: Split
    batch_tokens: int
    cache_types: tuple[str, ...]
    cpu: bool


# batch_tokens: llama.cpp's --ubatch-size by default; vLLM's --max-num-batched-tokens as our role sets it.
ENGINES: Mapping[str, Engine] = {
    engine.name: engine
    for engine in (
        Engine("vllm", "tensor", 8192, ("f16", "fp8"), cpu=False),
        Engine("ollama", "layer", 512, ("f16", "q8_0", "q4_0"), cpu=True),
        Engine("llama_cpp", "layer", 512, ("f16", "q8_0", "q4_0"), cpu=True),
        Engine("localai", "layer", 512, ("f16", "q8_0", "q4_0"), cpu=True),
        Engine("fastchat", "tensor", 8192, ("f16",), cpu=False),
        Engine("sentence_transformers", "tensor", 8192, ("f16",), cpu=True),
    )
}
