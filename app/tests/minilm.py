"""all-MiniLM-L6-v2, the real embedding model, computed by NumPy alone.

Six layers of BERT over WordPiece tokens, mean over the tokens, length 1. Slow beside an engine and exact
enough to say whether retrieval finds the right piece.
"""

from __future__ import annotations

import json
import math
import struct
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
_HEADS, _LAYERS, _TOKENS = 12, 6, 256
_erf = np.vectorize(math.erf, otypes=[np.float32])


class MiniLm:
    """The model of a directory."""

    def __init__(self, directory: Path) -> None:
        self._weights = _weights(directory / "model.safetensors")
        lines = (directory / "vocab.txt").read_text(encoding="utf-8").splitlines()
        self._vocabulary = {word: number for number, word in enumerate(lines)}
        self._kept: dict[str, list[float]] = {}

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Returns a vector of 384 numbers for each text."""
        for text in texts:
            if text not in self._kept:
                self._kept[text] = self._embed(text)
        return [self._kept[text] for text in texts]

    def _embed(self, text: str) -> list[float]:
        tokens = [self._vocabulary["[CLS]"], *self._tokens(text)[: _TOKENS - 2], self._vocabulary["[SEP]"]]
        state = (
            self._weights["embeddings.word_embeddings.weight"][tokens]
            + self._weights["embeddings.position_embeddings.weight"][: len(tokens)]
            + self._weights["embeddings.token_type_embeddings.weight"][0]
        )
        state = self._normal(state, "embeddings.LayerNorm")
        for layer in range(_LAYERS):
            state = self._layer(state, f"encoder.layer.{layer}")
        mean = state.mean(axis=0)
        return [float(value) for value in mean / np.linalg.norm(mean)]

    def _layer(self, state: Array, name: str) -> Array:
        length, width = state.shape
        query, key, value = (
            self._linear(state, f"{name}.attention.self.{part}").reshape(length, _HEADS, -1).swapaxes(0, 1)
            for part in ("query", "key", "value")
        )
        scores = query @ key.swapaxes(1, 2) / math.sqrt(width // _HEADS)
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        heads = (scores / scores.sum(axis=-1, keepdims=True)) @ value
        mixed = self._linear(heads.swapaxes(0, 1).reshape(length, width), f"{name}.attention.output.dense")
        state = self._normal(state + mixed, f"{name}.attention.output.LayerNorm")
        inner = self._linear(state, f"{name}.intermediate.dense")
        inner = inner * 0.5 * (1 + _erf(inner / math.sqrt(2)))
        return self._normal(state + self._linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def _linear(self, state: Array, name: str) -> Array:
        result: Array = state @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return result

    def _normal(self, state: Array, name: str) -> Array:
        centred = state - state.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
        result: Array = scaled * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
        return result

    def _tokens(self, text: str) -> list[int]:
        plain = unicodedata.normalize("NFD", text.lower())
        plain = "".join(each for each in plain if unicodedata.category(each) != "Mn")
        spaced = "".join(each if each.isalnum() and each < "\u2e80" else f" {each} " for each in plain)
        return [number for word in spaced.split() for number in self._pieces(word)]

    def _pieces(self, word: str) -> list[int]:
        found: list[int] = []
        start = 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = ("##" if start else "") + word[start:end]
                if piece in self._vocabulary:
                    found.append(self._vocabulary[piece])
                    start = end
                    break
            else:
                return [self._vocabulary["[UNK]"]]
        return found


def _weights(path: Path) -> dict[str, Array]:
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header: dict[str, dict[str, Any]] = json.loads(data[8 : 8 + length])
    found: dict[str, Array] = {}
    for name, about in header.items():
        if about.get("dtype") == "F32":
            begin, end = about["data_offsets"]
            block = np.frombuffer(data[8 + length + begin : 8 + length + end], dtype="<f4")
            found[name] = block.reshape(about["shape"])
    return found
