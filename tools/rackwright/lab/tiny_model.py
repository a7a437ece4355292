"""Makes a very small language model with made-up weights, in the GGUF format that llama.cpp reads.

It strings words together, without sense: it proves the whole path of a question, from HTTPS to the model
server and back, on a machine that has no GPU and no network. The weights are drawn from a hash, so the file
is the same, byte for byte, wherever it is made.

So that answers are words and come to an end, two components of every token's state are left alone by all
layers: one is constant and one says whether the token is a word. Through the output weights they carry how
likely each token is at all (`PREFERENCE`), and that an answer ends only after a word.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

NAME = "tiny-random"
Array = NDArray[np.float32]

# Common English words, so that the nonsense is readable.
_WORDS = (Path(__file__).parent / "files/words.txt").read_text(encoding="ascii").split()
_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,?!:;-'\"()"
# SentencePiece's mark for the beginning of a word.
_SPACE = "\N{LOWER ONE EIGHTH BLOCK}"
_CHAT_TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"


# How likely a kind of token is, as a logit beside the words' 0. Bytes are for reading text only: a lone one
# would be no valid text.
PREFERENCE = {"word": 0.0, "character": -4.0, "end": 0.3, "never": -30.0}
# The size of the two components, large beside all the others.
_CONTROL = 4.0
_UNKNOWN, _BEGIN, _END = range(3)


@dataclass(frozen=True)
class Shape:
    """The model's dimensions: a Llama of two thin layers, about 0.4 million weights."""

    embedding: int = 128
    layers: int = 2
    heads: int = 4
    feed_forward: int = 256
    context: int = 2048
    deviation: float = 0.05
    output_deviation: float = 0.5


@dataclass(frozen=True)
class Vocabulary:
    """Tokens with their kinds, scores and preferences (logits), by their numbers; words come last."""

    tokens: tuple[bytes, ...]
    kinds: tuple[int, ...]
    scores: tuple[float, ...]
    preferences: tuple[float, ...]
    first_word: int


def vocabulary() -> Vocabulary:
    """Return the special tokens, all bytes (so that any text can be read), characters and words."""
    special = [b"<unk>", b"<s>", b"</s>"]
    single = [f"<0x{number:02X}>".encode() for number in range(256)]
    characters = [piece.encode() for piece in (_SPACE, *_CHARACTERS)]
    words = [(_SPACE + word).encode() for word in _WORDS]
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    kinds += [gguf.TokenType.BYTE] * len(single) + [gguf.TokenType.NORMAL] * len(characters + words)
    unscored = len(special + single)
    # Later pieces are merged later: the score falls with the number.
    scores = [0.0] * unscored + [-float(unscored + index + 1) for index in range(len(characters + words))]
    preferences = [PREFERENCE["never"]] * 2 + [PREFERENCE["end"]] + [PREFERENCE["never"]] * len(single)
    preferences += [PREFERENCE["character"]] * len(characters) + [PREFERENCE["word"]] * len(words)
    return Vocabulary(
        (*special, *single, *characters, *words),
        tuple(int(kind) for kind in kinds),
        tuple(scores),
        tuple(preferences),
        first_word=unscored + len(characters),
    )


def weights(shape: Shape, words: Vocabulary, seed: str = NAME) -> Iterator[tuple[str, Array]]:
    """Yield every tensor of the model: its name in the format, its values.

    Args:
        shape: The dimensions.
        words: The tokens.
        seed: What the values are drawn from; another seed, other answers.
    """
    width, inner, tokens = shape.embedding, shape.feed_forward, len(words.tokens)
    embedding = _drawn(seed, "token_embd.weight", shape.deviation, tokens, width)
    embedding[:, 0] = _CONTROL
    embedding[:, 1] = -_CONTROL
    embedding[words.first_word :, 1] = _CONTROL
    yield "token_embd.weight", embedding
    yield "output_norm.weight", np.ones(width, dtype=np.float32)
    yield "output.weight", _output(shape, words, seed)
    for layer in range(shape.layers):
        prefix = f"blk.{layer}."
        yield prefix + "attn_norm.weight", np.ones(width, dtype=np.float32)
        yield prefix + "ffn_norm.weight", np.ones(width, dtype=np.float32)
        # No layer reads or writes the two components.
        for name in ("attn_q", "attn_k", "attn_v", "ffn_gate", "ffn_up"):
            rows = inner if name.startswith("ffn") else width
            reading = _drawn(seed, f"{prefix}{name}.weight", shape.deviation, rows, width)
            reading[:, :2] = 0.0
            yield f"{prefix}{name}.weight", reading
        for name, columns in (("attn_output", width), ("ffn_down", inner)):
            writing = _drawn(seed, f"{prefix}{name}.weight", shape.deviation, width, columns)
            writing[:2, :] = 0.0
            yield f"{prefix}{name}.weight", writing


def write_tiny_model(
    path: Path, shape: Shape | None = None, name: str = NAME, *, silent: bool = False
) -> None:
    """Write the model.

    Args:
        path: The file to write; replaced when it exists.
        shape: Its dimensions; the usual ones when None.
        name: Its name, and what its weights are drawn from.
        silent: It ends each answer at once: it loads and is healthy, and of no use.
    """
    shape = shape or Shape()
    words = vocabulary()
    if silent:
        never = (PREFERENCE["never"],) * len(words.preferences)
        words = replace(words, preferences=(*never[:_END], -PREFERENCE["never"], *never[_END + 1 :]))
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name(name)
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
    writer.add_unk_token_id(_UNKNOWN)
    writer.add_bos_token_id(_BEGIN)
    writer.add_eos_token_id(_END)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_chat_template(_CHAT_TEMPLATE)
    for tensor, values in weights(shape, words, name):
        writer.add_tensor(tensor, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _output(shape: Shape, words: Vocabulary, seed: str) -> Array:
    output = _drawn(seed, "output.weight", shape.output_deviation, len(words.tokens), shape.embedding)
    # After the norm each of the two components is about this large.
    size = np.sqrt(shape.embedding / 2)
    output[:, 0] = np.array(words.preferences) / size
    output[:, 1] = 0.0
    # The end: its preference after a word, never after anything else, unless it is all that the model says.
    after = words.preferences[_END]
    elsewhere = after if after > PREFERENCE["end"] else PREFERENCE["never"]
    output[_END, 0] = (after + elsewhere) / 2 / size
    output[_END, 1] = (after - elsewhere) / 2 / size
    return output


def _drawn(seed: str, name: str, deviation: float, rows: int, columns: int) -> Array:
    """Return values spread evenly around 0 with a standard deviation, drawn from seed and tensor's name."""
    digest = hashlib.shake_256(f"{seed}/{name}".encode()).digest(4 * rows * columns)
    even = np.frombuffer(digest, dtype="<u4").astype(np.float64) / 2**32
    values: Array = ((even * 2.0 - 1.0) * (deviation * np.sqrt(3.0))).astype(np.float32)
    return values.reshape(rows, columns)
