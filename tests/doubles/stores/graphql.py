"""GraphQL as far as Weaviate is asked: fields with arguments, whose values are JSON with bare names."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(
    r'\s*(?:("(?:[^"\\]|\\.)*")|(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)|([A-Za-z_]\w*)|([{}()\[\]:,]))'
)


class WrongQueryError(Exception):
    """It is no query."""


@dataclass
class Field:
    """One field that is asked for."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    fields: list[Field] = field(default_factory=list)


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        at, text = 0, text.rstrip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise WrongQueryError(f"Syntax Error: unexpected character at {at}")
            self.tokens.append(found.group(0).strip())
            at = found.end()

    def take(self, wanted: str = "") -> str:
        token = self.tokens.pop(0) if self.tokens else "<EOF>"
        if wanted and token != wanted:
            raise WrongQueryError(f"Syntax Error: expected {wanted}, found {token}")
        return token

    def next_is(self, wanted: str) -> bool:
        while self.tokens and self.tokens[0] == ",":
            self.tokens.pop(0)
        return bool(self.tokens) and self.tokens[0] == wanted

    def value(self) -> Any:  # noqa: ANN401 - any value
        if self.next_is("{"):
            return self.named("{", "}")
        if self.next_is("["):
            self.take("[")
            found = []
            while not self.next_is("]"):
                found.append(self.value())
            self.take("]")
            return found
        token = self.take()
        if token in {"true", "false", "null"} or token[0] in '"-0123456789':
            return json.loads(token)
        return token

    def named(self, opens: str, closes: str) -> dict[str, Any]:
        self.take(opens)
        found = {}
        while not self.next_is(closes):
            name = self.take()
            self.take(":")
            found[name] = self.value()
        self.take(closes)
        return found

    def fields(self) -> list[Field]:
        self.take("{")
        found = []
        while not self.next_is("}"):
            one = Field(self.take())
            if self.next_is("("):
                one.arguments = self.named("(", ")")
            if self.next_is("{"):
                one.fields = self.fields()
            found.append(one)
        self.take("}")
        return found


def parsed(text: str) -> list[Field]:
    """Return the fields of a query.

    Raises:
        WrongQueryError: It is none.
    """
    reader = _Reader(text)
    found = reader.fields()
    if reader.tokens:
        raise WrongQueryError(f"Syntax Error: unexpected {reader.tokens[0]}")
    return found
