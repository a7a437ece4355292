"""Bytes of a model's weights in a quantisation, by what is kept at which precision.

In a GGUF file the type of a tensor follows from its place (llama.cpp, src/llama-quant.cpp): the output matrix
is kept finer than the rest; the K_M mixtures keep the value and down matrices of half of the layers finer; a
matrix whose rows are no multiple of 256 falls back to a type that works with blocks of 32.
"""

from __future__ import annotations

from dataclasses import dataclass

from rackwright.models.count import Counts, active_count, count
from rackwright.models.model import Architecture, Model, Quantisation

# Rows of k-quants are multiples of this many weights.
SUPER_BLOCK = 256
# Bits of the type that serves where a row is no multiple of it: Q4_K by Q5_0, Q5_K by Q5_1, Q6_K by Q8_0.
_FALLBACK = {4.5: 5.5, 5.5: 6.0, 6.5625: 8.5}
_NAMES_WITHOUT_BLOCKS = ("q4_0", "q8_0", "fp16", "bf16", "fp32")


@dataclass(frozen=True)
class Weights:
    """Bytes of a model's weights.

    Attributes:
        layers: Of all layers.
        embedding: Of the input embeddings; they also serve as output where the two are tied.
        output: Of the output matrix.
        other: Of an image encoder.
    """

    layers: float
    embedding: float
    output: float
    other: float

    @property
    def total(self) -> float:
        """All of them."""
        return self.layers + self.embedding + self.output + self.other


def weights(model: Model, name: str, quantisation: Quantisation) -> Weights:
    """Return the bytes of a model's weights in the quantisation of this name."""
    return _weights(model.architecture, count(model), name, quantisation)


def active_bytes(model: Model, name: str, quantisation: Quantisation) -> float:
    """Return the bytes that are read for one token: the experts that it is routed to, no embedding table."""
    part = _weights(model.architecture, active_count(model), name, quantisation)
    tied_output = part.embedding if model.architecture.tied else 0.0
    return part.layers + part.output + tied_output


def _weights(shape: Architecture, counts: Counts, name: str, quantisation: Quantisation) -> Weights:
    gguf = quantisation.format == "gguf"
    raised = quantisation.raised or quantisation.bits
    share = _raised_share(shape.layers) if quantisation.raised else 0.0

    def mixed(parameters: int, rows: int) -> float:
        bits = [quantisation.bits, raised]
        if gguf and rows % SUPER_BLOCK and name not in _NAMES_WITHOUT_BLOCKS:
            bits = [_FALLBACK.get(each, each) for each in bits]
        return parameters * ((1 - share) * bits[0] + share * bits[1])

    narrow = shape.experts.ffn if shape.experts else shape.ffn
    layers = (
        counts.matrices * quantisation.bits
        + mixed(counts.value, shape.hidden)
        + mixed(counts.down, narrow)
        # Norms, biases and routers stay at 32 bits in GGUF.
        + counts.small * (32 if gguf else min(16, quantisation.output))
    )
    # Tied embeddings are the output matrix too, and get its type.
    embedding = quantisation.output if shape.tied and shape.kind == "decoder" else quantisation.embedding
    return Weights(
        layers=layers / 8,
        embedding=counts.embedding * embedding / 8,
        output=counts.output * quantisation.output / 8,
        other=counts.other * 2.0,
    )


def _raised_share(layers: int) -> float:
    """Return the share of layers that a K_M mixture keeps finer.

    They are the first eighth, the last eighth, and of those between the third, the sixth, …
    """
    first = layers // 8
    last = 7 * layers // 8
    between = range(first + 2, last, 3)
    return (first + len(between) + layers - last) / layers
