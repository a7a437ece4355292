"""The memory that a model takes when it is served, part by part, each part explained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from rackwright.models.engines import (
    CACHE_BITS,
    CONTEXT_MIB,
    CONTEXT_SOURCE,
    GROUP_MIB,
    GROUP_SOURCE,
    Engine,
)
from rackwright.models.model import Architecture, Model, Quantisation
from rackwright.models.weights import weights
from rackwright.sizing.explained import Explained

MIB = 2**20
# A step of vLLM has this many buffers of the feed-forward's size and of the hidden size, for each token.
FFN_BUFFERS = 3
HIDDEN_BUFFERS = 4
# Bytes for each entry of the scores: at 16 bits as computed, twice at 32 bits for the sampling.
SCORE_BYTES = 10

_WEIGHTS_SOURCE = "types of a GGUF's tensors: llama.cpp, llama-quant"
_CACHE_SOURCE = "vLLM and llama.cpp: two vectors for each token, layer and KV head"
_TENSOR_SOURCE = "buffers of a decoder's step, compared with vLLM's profiling logs (docs/models.md)"
_LAYER_SOURCE = "llama.cpp: compute buffer of a batch with flash attention"


@dataclass(frozen=True)
class Service:
    """How a model is to be served.

    Attributes:
        engine: The engine.
        quantisation: Key of model_quantisations.
        context: Tokens of one request, question and answer.
        parallel: Requests at the same time.
        cache: Type of the cache: f16, q8_0, q4_0, fp8.
        gpus: GPUs that it is spread over; 0 for none.
    """

    engine: Engine
    quantisation: str
    context: int
    parallel: int
    cache: str
    gpus: int

    @property
    def tensor_parallel(self) -> int:
        """GPUs that share every layer; 1 where layers are dealt out."""
        return self.gpus if self.engine.split == "tensor" and self.gpus else 1


@dataclass(frozen=True)
class Memory:
    """What the fullest GPU holds, or the machine's memory where there is none, in MiB, by part."""

    parts: Mapping[str, Explained]

    @property
    def total_mib(self) -> int:
        """The sum of the parts."""
        return sum(int(part.value) for part in self.parts.values())

    def mib(self, part: str) -> int:
        """Return one part in MiB."""
        return int(self.parts[part].value)


def memory(model: Model, quantisation: Quantisation, service: Service) -> Memory:
    """Return the memory that the fullest GPU of a service needs; of the machine where it has no GPU."""
    return Memory(
        {
            "weights": _weights(model, quantisation, service),
            "cache": _cache(model, service),
            "compute": _compute(model.architecture, service),
            "overhead": _overhead(service),
        }
    )


def cache_bytes_per_token(model: Model, service: Service) -> float:
    """Return the bytes that one more token takes in all layers whose cache grows without end."""
    shape = model.architecture
    return _token_bytes(model, service) * (shape.attention_layers - _window_layers(shape))


def state_bytes(shape: Architecture) -> float:
    """Return the bytes of one request's states in linear layers, with the tokens of the convolution."""
    if shape.linear is None:
        return 0.0
    linear = shape.linear
    state = linear.value_heads * linear.key_size * linear.value_size * 4
    width = 2 * linear.key_heads * linear.key_size + linear.value_heads * linear.value_size
    return float(linear.layers * (state + width * (linear.convolution - 1) * 2))


def _token_bytes(model: Model, service: Service) -> float:
    shape, bits = model.architecture, CACHE_BITS[service.cache]
    if shape.kind == "encoder":
        return 0.0
    if shape.mla is None:
        return 2 * shape.kv_heads * shape.head_size * bits / 8
    if _full(model, service):
        return shape.heads * (shape.mla.nope_size + shape.mla.rope_size + shape.mla.value_size) * bits / 8
    return (shape.mla.kv_rank + shape.mla.rope_size) * bits / 8


def _full(model: Model, service: Service) -> bool:
    """Tell whether a build keeps the cache of compressed attention in full."""
    build = model.builds.get(service.quantisation)
    return build is not None and build.full_cache


def _window_layers(shape: Architecture) -> int:
    return shape.window.layers if shape.window else 0


def _weights(model: Model, quantisation: Quantisation, service: Service) -> Explained:
    parts = weights(model, service.quantisation, quantisation)
    inputs: dict[str, int | float | str] = {
        "parameters": f"{model.parameters.total:g} billion",
        "quantisation": service.quantisation,
        "layers": round(parts.layers / MIB),
        "embedding": round(parts.embedding / MIB),
        "output": round(parts.output / MIB),
    }
    source = _WEIGHTS_SOURCE if quantisation.format == "gguf" else model.source
    if service.gpus == 0 or (service.engine.split == "tensor" and service.gpus == 1):
        return _mib(parts.total, "bits of each matrix * its parameters / 8", inputs, source)
    inputs["gpus"] = service.gpus
    if service.engine.split == "tensor":
        shared = parts.total - parts.other
        return _mib(
            shared / service.gpus + parts.other, "matrices / GPUs; an image encoder on each", inputs, source
        )
    shape = model.architecture
    most = math.ceil(shape.layers / service.gpus)
    # The GPU with the last layers also has the output matrix, which may be the embeddings themselves.
    ends = parts.output or parts.embedding
    held = parts.layers * most / shape.layers + ends + parts.other
    rule = f"{most} of {shape.layers} layers, and the output matrix; embeddings stay in the machine's memory"
    return _mib(held, rule, inputs, source)


def _cache(model: Model, service: Service) -> Explained:
    shape, context = model.architecture, service.context
    growing = cache_bytes_per_token(model, service) * context
    window = 0.0
    if shape.window:
        seen = min(context, shape.window.tokens)
        window = _token_bytes(model, service) * shape.window.layers * seen
    held = (growing + window + state_bytes(shape)) * service.parallel
    inputs: dict[str, int | float | str] = {
        "context": context,
        "parallel": service.parallel,
        "type": service.cache,
        "layers": shape.attention_layers,
    }
    rule = "2 * layers * KV heads * head size * bytes * context * parallel"
    if shape.mla is None:
        inputs |= {"kv_heads": shape.kv_heads, "head_size": shape.head_size}
    elif _full(model, service):
        rule = "(nope + rope + value size) * heads * layers * bytes * context * parallel"
        inputs["heads"] = shape.heads
    else:
        rule = "(kv_lora_rank + rope size) * layers * bytes * context * parallel, whole on every GPU"
    if shape.window:
        rule += f"; {shape.window.layers} layers see {shape.window.tokens} tokens at most"
    if shape.linear:
        rule += f"; {shape.linear.layers} layers hold a state of {state_bytes(shape) / MIB:.0f} MiB a request"
    if service.gpus > 1:
        inputs["gpus"] = service.gpus
        held *= _cache_share(shape, service)
    return _mib(held, rule, inputs, _CACHE_SOURCE)


def _cache_share(shape: Architecture, service: Service) -> float:
    """Return the part of the cache that the fullest GPU holds."""
    if service.engine.split == "layer":
        return math.ceil(shape.layers / service.gpus) / shape.layers
    if shape.mla:
        return 1.0
    # With more GPUs than KV heads, a head is held by several of them.
    return max(1, shape.kv_heads // service.gpus) / shape.kv_heads


def _compute(shape: Architecture, service: Service) -> Explained:
    tokens = service.engine.batch_tokens
    inputs: dict[str, int | float | str] = {"batch": tokens, "hidden": shape.hidden}
    if service.engine.split == "layer":
        scores, mask = shape.vocabulary, service.context * service.parallel * 2
        if shape.kind == "encoder":
            # It sees a whole text at once, and makes no scores.
            tokens, scores, mask = service.context, 0, service.context * 2
        held = tokens * (4 * (scores + shape.hidden) + mask)
        inputs |= {"vocabulary": scores, "batch": tokens}
        return _mib(
            held, "batch * (4 * (vocabulary + hidden) + 2 * tokens of the cache)", inputs, _LAYER_SOURCE
        )
    tokens = min(tokens, service.context * service.parallel)
    ffn = shape.ffn
    if shape.experts:
        ffn = shape.experts.ffn * (shape.experts.active + shape.experts.shared)
    ffn = math.ceil(ffn / service.tensor_parallel)
    scores = 0 if shape.kind == "encoder" else shape.vocabulary
    step = tokens * (FFN_BUFFERS * ffn + HIDDEN_BUFFERS * shape.hidden) * 2
    held = step + service.parallel * scores * SCORE_BYTES
    inputs |= {"ffn": ffn, "vocabulary": scores, "parallel": service.parallel, "batch": tokens}
    rule = (
        f"batch * ({FFN_BUFFERS} * ffn + {HIDDEN_BUFFERS} * hidden) * 2 bytes"
        f" + parallel * vocabulary * {SCORE_BYTES} bytes"
    )
    return _mib(held, rule, inputs, _TENSOR_SOURCE)


def _overhead(service: Service) -> Explained:
    if service.gpus == 0:
        return Explained(0, "MiB", "no GPU, no context", {}, "choice of this project")
    if service.tensor_parallel == 1:
        return Explained(CONTEXT_MIB, "MiB", "CUDA context on each GPU", {}, CONTEXT_SOURCE)
    return Explained(
        CONTEXT_MIB + GROUP_MIB,
        "MiB",
        "CUDA context and buffers between the GPUs, on each",
        {"context": CONTEXT_MIB, "group": GROUP_MIB},
        f"{CONTEXT_SOURCE}; {GROUP_SOURCE}",
    )


def _mib(held: float, rule: str, inputs: Mapping[str, int | float | str], source: str) -> Explained:
    return Explained(math.ceil(held / MIB), "MiB", rule, dict(inputs), source)
