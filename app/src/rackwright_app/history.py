"""Chooses what of a conversation goes along with a new message."""

from __future__ import annotations

from collections.abc import Sequence

from rackwright_app.database.conversations import Turn
from rackwright_app.engine import Message

# What the chat template puts around each message.
_TOKENS_PER_MESSAGE = 8
_ASCII_CHARACTERS_PER_TOKEN = 3


def estimate_tokens(text: str) -> int:
    """Estimates the tokens of a text, rather too many than too few.

    Each model counts in its own way. Qwen's and Llama's vocabularies take about four ASCII characters or
    somewhat more than one Chinese character to a token; this counts three, and one.
    """
    plain = sum(character.isascii() for character in text)
    return -(-plain // _ASCII_CHARACTERS_PER_TOKEN) + len(text) - plain + _TOKENS_PER_MESSAGE


def compose(turns: Sequence[Turn], question: str, *, system_prompt: str, budget_tokens: int) -> list[Message]:
    """Puts together the messages for an engine.

    Args:
        turns: Earlier turns, oldest first.
        question: The new message; it goes along whatever its length.
        system_prompt: Stands before all, when not empty.
        budget_tokens: Tokens that all messages may take together.

    Returns:
        The messages, with as many of the latest turns as the budget allows.
    """
    left = budget_tokens - estimate_tokens(question)
    first: list[Message] = []
    if system_prompt:
        first.append({"role": "system", "content": system_prompt})
        left -= estimate_tokens(system_prompt)
    kept: list[Message] = []
    for turn in reversed(turns):
        left -= estimate_tokens(turn.question) + estimate_tokens(turn.answer)
        if left < 0:
            break
        kept[:0] = [{"role": "user", "content": turn.question}, {"role": "assistant", "content": turn.answer}]
    return [*first, *kept, {"role": "user", "content": question}]
