"""Makes a very small language model with made-up weights, in the GGUF format that llama.cpp reads.

It talks nonsense, of course: it proves the whole path of a question, from HTTPS to the model server and back,
on a machine that has no GPU and no network. The weights are drawn from a hash, so the file is the same, byte
for byte, wherever it is made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

NAME = "tiny-random"
Array = NDArray[np.float32]

# Common English words, so that the nonsense is readable.
_WORDS = (
    "the of and to in is you that it he was for on are as with his they at be this have from or one had by word but "
    "not what all were we when your can said there use an each which she do how their if will up other about out "
    "many then them these so some her would make like him into time has look two more write go see number no way "
    "could people my than first water been call who oil its now find"
).split()
_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,?!:;-'\"()"
# SentencePiece's mark for the beginning of a word.
_SPACE = "\N{LOWER ONE EIGHTH BLOCK}"
_CHAT_TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"


@dataclass(frozen=True)
class Shape:
    """The model's dimensions: a Llama of two thin layers, about 0.4 million weights."""

    embedding: int = 128
    layers: int = 2
    heads: int = 4
    feed_forward: int = 256
    context: int = 2048
    deviation: float = 0.05


@dataclass(frozen=True)
class Vocabulary:
    """Tokens with their kinds and scores, in the order of their numbers."""

    tokens: tuple[bytes, ...]
    kinds: tuple[int, ...]
    scores: tuple[float, ...]


def vocabulary() -> Vocabulary:
    """Return the special tokens, all bytes (so that any text can be read), characters and words."""
    normal = [_SPACE, *_CHARACTERS, *(_SPACE + word for word in _WORDS)]
    pieces = [piece.encode() for piece in dict.fromkeys(normal)]
    special = [b"<unk>", b"<s>", b"</s>"]
    single = [f"<0x{number:02X}>".encode() for number in range(256)]
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    kinds += [gguf.TokenType.BYTE] * len(single) + [gguf.TokenType.NORMAL] * len(pieces)
    unscored = len(special) + len(single)
    # Later pieces are merged later: the score falls with the number.
    scores = [0.0] * unscored + [-float(unscored + index + 1) for index in range(len(pieces))]
    return Vocabulary((*special, *single, *pieces), tuple(int(kind) for kind in kinds), tuple(scores))


def weights(shape: Shape, tokens: int) -> Iterator[tuple[str, Array]]:
    """Yield every tensor of the model: its name in the format, its values."""
    width, inner = shape.embedding, shape.feed_forward
    yield _drawn("token_embd.weight", shape, tokens, width)
    yield "output_norm.weight", np.ones(width, dtype=np.float32)
    yield _drawn("output.weight", shape, tokens, width)
    for layer in range(shape.layers):
        prefix = f"blk.{layer}."
        yield prefix + "attn_norm.weight", np.ones(width, dtype=np.float32)
        yield prefix + "ffn_norm.weight", np.ones(width, dtype=np.float32)
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            yield _drawn(f"{prefix}{name}.weight", shape, width, width)
        yield _drawn(prefix + "ffn_gate.weight", shape, inner, width)
        yield _drawn(prefix + "ffn_up.weight", shape, inner, width)
        yield _drawn(prefix + "ffn_down.weight", shape, width, inner)


def write_tiny_model(path: Path, shape: Shape | None = None) -> None:
    """Write the model.

    Args:
        path: The file to write; replaced when it exists.
        shape: Its dimensions; the usual ones when None.
    """
    shape = shape or Shape()
    words = vocabulary()
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name(NAME)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.embedding)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(shape.embedding // shape.heads)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(words.tokens))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(list(words.tokens))
    writer.add_token_scores(list(words.scores))
    writer.add_token_types(list(words.kinds))
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_chat_template(_CHAT_TEMPLATE)
    for name, values in weights(shape, len(words.tokens)):
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _drawn(name: str, shape: Shape, rows: int, columns: int) -> tuple[str, Array]:
    """Return a tensor of evenly distributed values around 0 with the shape's deviation, drawn from its name."""
    digest = hashlib.shake_256(f"{NAME}/{name}".encode()).digest(4 * rows * columns)
    even = np.frombuffer(digest, dtype="<u4").astype(np.float64) / 2**32
    half_width = shape.deviation * np.sqrt(3.0)
    values = ((even * 2.0 - 1.0) * half_width).astype(np.float32)
    return name, values.reshape(rows, columns)
