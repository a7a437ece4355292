"""How many parameters a model has, counted from its shape, matrix by matrix."""

from __future__ import annotations

from dataclasses import dataclass

from rackwright.models.model import Architecture, Linear, Mla, Model

BILLION = 1e9


@dataclass(frozen=True)
class Counts:
    """Parameters by what a quantisation does with them.

    Attributes:
        embedding: Of the input embeddings and learned positions.
        output: Of the output matrix; 0 where the embeddings serve.
        value: Of the matrices that make values in attention: K_M mixtures keep half of them finer.
        down: Of the matrices that lead out of the feed-forward layers, likewise.
        matrices: Of all other matrices of the layers.
        small: Of norms, biases, routers: never quantised.
        other: Of an image encoder.
    """

    embedding: int
    output: int
    value: int
    down: int
    matrices: int
    small: int
    other: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.embedding + self.output + self.value + self.down + self.matrices + self.small + self.other


def count(model: Model) -> Counts:
    """Count a model's parameters."""
    return _count(model, routed=None)


def active_count(model: Model) -> Counts:
    """Count the parameters that one token uses: of the experts, only those that it is routed to."""
    experts = model.architecture.experts
    return _count(model, routed=experts.active if experts else None)


def billions(parameters: int) -> float:
    """Return a number of parameters in billions."""
    return parameters / BILLION


def _count(model: Model, routed: int | None) -> Counts:
    shape = model.architecture
    value, query_and_rest = _attention(shape)
    down, up_and_gate = _feed_forward(shape, routed)
    linear = _linear(shape.hidden, shape.linear) * shape.linear.layers if shape.linear else 0
    return Counts(
        embedding=(shape.vocabulary + shape.positions) * shape.hidden,
        output=0 if shape.tied or shape.kind == "encoder" else shape.vocabulary * shape.hidden,
        value=value * shape.attention_layers,
        down=down,
        matrices=query_and_rest * shape.attention_layers + up_and_gate + linear,
        small=_small(shape),
        other=round(model.parameters.other * BILLION),
    )


def _attention(shape: Architecture) -> tuple[int, int]:
    """Return the parameters of the value matrix, and those of the others, of one layer."""
    if shape.mla:
        return _mla_attention(shape, shape.mla)
    query = shape.hidden * shape.heads * shape.head_size * (2 if shape.gate else 1)
    key = shape.hidden * shape.kv_heads * shape.head_size
    output = shape.heads * shape.head_size * shape.hidden
    return key, query + key + output


def _mla_attention(shape: Architecture, mla: Mla) -> tuple[int, int]:
    query_width = shape.heads * (mla.nope_size + mla.rope_size)
    query = shape.hidden * mla.q_rank + mla.q_rank * query_width if mla.q_rank else shape.hidden * query_width
    compress = shape.hidden * (mla.kv_rank + mla.rope_size)
    expand = mla.kv_rank * shape.heads * (mla.nope_size + mla.value_size)
    output = shape.heads * mla.value_size * shape.hidden
    return 0, query + compress + expand + output


def _feed_forward(shape: Architecture, routed: int | None) -> tuple[int, int]:
    """Return the parameters of the down matrices, and those of up and gate, of all layers."""
    experts = shape.experts
    dense_layers = experts.dense_layers if experts else shape.layers
    down = shape.hidden * shape.ffn * dense_layers
    if experts:
        used = experts.shared + (experts.count if routed is None else routed)
        down += shape.hidden * experts.ffn * used * (shape.layers - dense_layers)
    return down, down * (2 if shape.gated else 1)


def _linear(hidden: int, linear: Linear) -> int:
    """Return the parameters of one layer with a state."""
    keys = linear.key_heads * linear.key_size
    values = linear.value_heads * linear.value_size
    enters = hidden * (2 * keys + 2 * values + 2 * linear.value_heads)
    return enters + values * hidden + (2 * keys + values) * linear.convolution


def _small(shape: Architecture) -> int:
    norms = (2 * shape.layers + 1) * shape.hidden
    router = 0
    if shape.experts:
        router = shape.hidden * shape.experts.count * (shape.layers - shape.experts.dense_layers)
    bias = 0
    if shape.bias:
        bias = (shape.heads + 2 * shape.kv_heads) * shape.head_size * shape.layers
    if shape.kind == "encoder" and not shape.gated:
        # BERT: a bias for each of six matrices, two norms with a bias.
        bias = (9 * shape.hidden + shape.ffn) * shape.layers
    return norms + router + bias
