"""Puts the results of two searches into one order, and says how near each one is to the question."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from rackwright_app.rag.words import words_of

# The constant of reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009).
_RRF_K = 60


def fuse(*orders: Sequence[int]) -> list[int]:
    """Fuses several orders by reciprocal ranks.

    Args:
        orders: Each the best first.

    Returns:
        All that occur, the best first.
    """
    scores: Counter[int] = Counter()
    for order in orders:
        for rank, item in enumerate(order, 1):
            scores[item] += 1 / (_RRF_K + rank)  # type: ignore[assignment]  # a Counter adds floats as well
    return sorted(scores, key=lambda item: (-scores[item], item))


def certainty(cosine: float) -> float:
    """Returns a cosine as a score of 0 to 1: 0.7 is a cosine of 0.4."""
    return min(1.0, max(0.0, (1 + cosine) / 2))


def logistic(value: float) -> float:
    """Returns a cross-encoder's value as a score of 0 to 1."""
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, value))))


def coverage(question: str, texts: Sequence[str]) -> list[float]:
    """Says how much of a question's words each text holds.

    A word that few of the texts hold counts more than one that all hold (inverse document frequency over the
    texts at hand), so `what is the` counts next to nothing.

    Returns:
        A score of 0 to 1 for each text.
    """
    wanted = set(words_of(question))
    held = [set(words_of(text)) for text in texts]
    weights = {
        word: math.log(1 + len(held) / (0.5 + sum(word in words for words in held))) for word in wanted
    }
    total = sum(weights.values())
    if not total:
        return [0.0] * len(held)
    return [sum(weight for word, weight in weights.items() if word in words) / total for words in held]
