"""Rules of a site about what may be asked (A5)."""

from __future__ import annotations

import re
import unicodedata
from http import HTTPStatus
from typing import Literal

from pydantic import field_validator

from rackwright_app import metrics
from rackwright_app.errors import ApiError
from rackwright_app.section import Section

RuleName = Literal["prompt_override", "sql_keywords"]

# A message that holds SQL is no attack: it is never part of a statement here, and people ask about SQL.
# The rule exists because the platform's plan names it, and is off unless a site switches it on.
_RULES: dict[RuleName, re.Pattern[str]] = {
    "prompt_override": re.compile(
        r"\b(?:ignore|disregard|forget)\s+(?:all\s+|any\s+)?(?:of\s+)?(?:the\s+|your\s+)?(?:previous|prior|above|earlier)"
        r"\s+(?:instructions?|prompts?|rules?)\b|(?:忽略|无视|忘记)(?:掉)?(?:之前|以上|上面|先前|前面)(?:的)?(?:所有|全部)?(?:的)?(?:指令|提示|规则|设定)",
        re.IGNORECASE,
    ),
    "sql_keywords": re.compile(
        r"\b(?:union\s+select|drop\s+table|insert\s+into|delete\s+from|or\s+1\s*=\s*1)\b", re.IGNORECASE
    ),
}


class InputRules(Section):
    """What a message may not hold."""

    rules: tuple[RuleName, ...] = ("prompt_override",)
    patterns: tuple[str, ...] = ()
    """Regular expressions of the site's own; they are tried on every message, so let them be simple."""
    words: tuple[str, ...] = ()
    """Banned words, found wherever they stand, whatever their case and width."""

    @field_validator("patterns")
    @classmethod
    def _can_be_compiled(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
        return value


class InputCheck:
    """Checks messages against the rules."""

    def __init__(self, settings: InputRules) -> None:
        self._rules: list[tuple[str, re.Pattern[str]]] = [(name, _RULES[name]) for name in settings.rules]
        self._rules += [("pattern", re.compile(pattern, re.IGNORECASE)) for pattern in settings.patterns]
        words = [re.escape(_plain(word)) for word in settings.words if word.strip()]
        if words:
            self._rules.append(("word", re.compile("|".join(words))))

    def check(self, message: str) -> None:
        """Refuses a message that holds what it may not.

        Raises:
            ApiError: 400.
        """
        plain = _plain(message)
        for name, pattern in self._rules:
            if pattern.search(plain):
                metrics.REFUSED_MESSAGES.labels(name).inc()
                raise ApiError(
                    HTTPStatus.BAD_REQUEST,
                    "message_refused",
                    "The message holds what this site does not allow.",
                )


def _plain(text: str) -> str:
    # Full-width letters and characters that show nothing must not hide a word.
    normal = unicodedata.normalize("NFKC", text)
    return "".join(character for character in normal if unicodedata.category(character) != "Cf").lower()
