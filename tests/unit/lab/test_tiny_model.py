from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

from rackwright.lab.image_archive import file_sha256
from rackwright.lab.tiny_model import PREFERENCE, Shape, vocabulary, weights, write_tiny_model

# The file is the same wherever and whenever it is made; sites pin it by this.
SHA256 = "310dfe80f911ba011597af33d5b0747b7af559cfab798ab765116469bc35459c"


def test_file_is_the_same_everywhere(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "a.gguf")
    assert file_sha256(tmp_path / "a.gguf") == SHA256


def test_file_is_read_back_as_a_llama(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "a.gguf")
    reader = gguf.GGUFReader(tmp_path / "a.gguf")
    assert reader.fields["general.architecture"].contents() == "llama"
    assert reader.fields["llama.context_length"].contents() == Shape().context
    tokens = vocabulary().tokens
    shapes = {tensor.name: tuple(map(int, tensor.shape)) for tensor in reader.tensors}
    # The format tells the fastest dimension first.
    assert shapes["token_embd.weight"] == (Shape().embedding, len(tokens))
    assert len(shapes) == 3 + Shape().layers * 9


def test_vocabulary_reads_any_text_and_has_no_token_twice() -> None:
    words = vocabulary()
    assert len(set(words.tokens)) == len(words.tokens)
    assert len(words.tokens) == len(words.kinds) == len(words.scores) == len(words.preferences)
    assert {f"<0x{number:02X}>".encode() for number in range(256)} <= set(words.tokens)
    assert all(token.startswith("▁".encode()) for token in words.tokens[words.first_word :])


def test_no_layer_touches_what_steers_the_answer() -> None:
    for name, values in weights(Shape(), vocabulary()):
        if name.endswith(("attn_output.weight", "ffn_down.weight")):
            assert not values[:2, :].any(), name
        elif name.startswith("blk.") and "norm" not in name:
            assert not values[:, :2].any(), name


def test_an_answer_ends_after_a_word_only_and_never_with_a_lone_byte() -> None:
    words = vocabulary()
    tensors = dict(weights(Shape(), words))

    def steering(last: int) -> np.ndarray:
        """Return each token's logit from the two steering components alone, after this token."""
        state = tensors["token_embd.weight"][last].astype(np.float64)
        state /= np.sqrt(np.mean(state**2))
        return tensors["output.weight"][:, :2] @ state[:2]

    end = words.tokens.index(b"</s>")
    byte = words.tokens.index(b"<0x00>")
    word, character = words.first_word, words.tokens.index(b":")
    assert abs(steering(word)[end] - PREFERENCE["end"]) < 2
    assert steering(character)[end] < -20
    assert steering(word)[byte] < -20
    assert steering(character)[byte] < -20
