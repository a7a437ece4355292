"""The language of Logstash's pipelines, as its reference describes it: what a file and its conditions mean.

A file is sections (input, filter, output) of plugins and branches. The double knows no mixture of `and` and
`or` without parentheses, and no nested codecs: files of the project use neither.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]
Condition = Callable[[Event], bool]
_TOKENS = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
    |(?P<regex>/(?:\\.|[^/\\\n])+/)
    |(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
    |(?P<number>-?\d+(?:\.\d+)?)
    |(?P<field>(?:\[[^\[\],"'\s]+\])+)
    |(?P<sign>=>|==|!=|=~|!~|>=|<=|[{}()\[\],!<>])
    |(?P<word>[A-Za-z_][\w@.-]*)""",
    re.VERBOSE,
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda one, other: bool(one == other),
    "!=": lambda one, other: bool(one != other),
    ">": lambda one, other: bool(one > other),
    "<": lambda one, other: bool(one < other),
    ">=": lambda one, other: bool(one >= other),
    "<=": lambda one, other: bool(one <= other),
}


class LanguageError(Exception):
    """The text is no pipeline; says what was expected, and where."""


@dataclass(frozen=True)
class Plugin:
    """A plugin with its options."""

    name: str
    options: dict[str, Any]


@dataclass(frozen=True)
class Branch:
    """`if`, `else if`, `else`: the first whose condition holds counts."""

    arms: list[tuple[Condition, list[Any]]]


@dataclass(frozen=True)
class Text:
    """A whole file: the statements of each section."""

    sections: dict[str, list[Any]] = field(
        default_factory=lambda: {name: [] for name in ("input", "filter", "output")}
    )

    def plugins(self, section: str) -> list[Plugin]:
        """Return all plugins of a section, those of branches included."""
        return list(_plugins(self.sections[section]))


def _plugins(statements: list[Any]) -> Iterator[Plugin]:
    for statement in statements:
        if isinstance(statement, Plugin):
            yield statement
            continue
        for _, inner in statement.arms:
            yield from _plugins(inner)


def at(event: Event, reference: str) -> Any:  # noqa: ANN401 - whatever stands there
    """Return a field, `name` or `[outer][inner]`; None where it is not."""
    found: Any = event
    for name in names_of(reference):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def put(event: Event, reference: str, value: object) -> None:
    """Set a field, its outer ones as well."""
    *outer, last = names_of(reference)
    place = event
    for name in outer:
        place = place.setdefault(name, {})
    place[last] = value


def remove(event: Event, reference: str) -> None:
    """Take a field away, if it is there."""
    *outer, last = names_of(reference)
    place: Any = event
    for name in outer:
        place = place.get(name) if isinstance(place, dict) else None
    if isinstance(place, dict):
        place.pop(last, None)


def names_of(reference: str) -> list[str]:
    """Return the names of a reference."""
    return re.findall(r"\[([^\]]+)\]", reference) or [reference]


def read(text: str) -> Text:
    """Read a file.

    Raises:
        LanguageError: It is none.
    """
    reader, found = _Reader(text), Text()
    while reader.kind:
        section = reader.take("word")
        if section not in found.sections:
            raise LanguageError(f"Expected one of input, filter, output, not {section!r}")
        found.sections[section].extend(reader.statements())
    return found


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        place = 0
        while place < len(text):
            match = _TOKENS.match(text, place)
            if match is None:
                line = text.count("\n", 0, place) + 1
                raise LanguageError(f"line {line}: unexpected {text[place : place + 20]!r}")
            if match.lastgroup != "space":
                self._tokens.append((str(match.lastgroup), match[0]))
            place = match.end()
        self._at = 0

    @property
    def kind(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    @property
    def value(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def take(self, *kinds: str) -> str:
        """Take the next token, of one of these kinds or being one of these signs."""
        if self.kind not in kinds and self.value not in kinds:
            raise LanguageError(f"Expected {' or '.join(kinds)}, not {self.value!r} (token {self._at})")
        self._at += 1
        return self._tokens[self._at - 1][1]

    def statements(self) -> list[Any]:
        self.take("{")
        found: list[Any] = []
        while self.value != "}":
            found.append(self._branch() if self.value == "if" else self._plugin())
        self.take("}")
        return found

    def _plugin(self) -> Plugin:
        name = self.take("word")
        options: dict[str, Any] = {}
        self.take("{")
        while self.value != "}":
            key = _bare(self.take("word", "string"))
            if key in options:
                raise LanguageError(f"{name}: {key} is there twice")
            self.take("=>")
            options[key] = self._value()
        self.take("}")
        return Plugin(name, options)

    def _value(self) -> Any:  # noqa: ANN401 - text, number, list, mapping
        if self.value == "[":
            return self._list()
        if self.value == "{":
            self.take("{")
            found = {}
            while self.value != "}":
                key = _bare(self.take("string", "word", "number"))
                self.take("=>")
                found[key] = self._value()
            self.take("}")
            return found
        if self.kind == "number":
            return _number(self.take("number"))
        return _bare(self.take("string", "word"))

    def _list(self) -> list[Any]:
        self.take("[")
        found = []
        while self.value != "]":
            found.append(self._value())
            if self.value != "]":
                self.take(",")
        self.take("]")
        return found

    def _branch(self) -> Branch:
        arms: list[tuple[Condition, list[Any]]] = []
        self.take("if")
        arms.append((self._condition(), self.statements()))
        while self.value == "else":
            self.take("else")
            if self.value == "if":
                self.take("if")
                arms.append((self._condition(), self.statements()))
                continue
            arms.append((lambda _: True, self.statements()))
            break
        return Branch(arms)

    def _condition(self) -> Condition:
        parts = [self._expression()]
        joined: set[str] = set()
        while self.value in {"and", "or"}:
            joined.add(self.take("word"))
            parts.append(self._expression())
        if len(joined) > 1:
            raise LanguageError("the double takes `and` and `or` together only with parentheses")
        whole = any if joined == {"or"} else all
        return lambda event: whole(part(event) for part in parts)

    def _expression(self) -> Condition:
        if self.value == "(":
            self.take("(")
            inside = self._condition()
            self.take(")")
            return inside
        if self.value == "!":
            self.take("!")
            negated = self._expression() if self.value == "(" else self._there(self.take("field"))
            return lambda event: not negated(event)
        left = self._operand()
        if self.value in {"=~", "!~"}:
            wanted = self.take("sign") == "=~"
            pattern = re.compile(self.take("regex")[1:-1])
            # What is no text matches nothing.
            return lambda event: (
                (isinstance(left(event), str) and bool(pattern.search(left(event)))) is wanted
            )
        if self.value in _COMPARE:
            compared, right = _COMPARE[self.take("sign")], self._operand()
            return lambda event: compared(left(event), right(event))
        return lambda event: bool(left(event))

    def _there(self, reference: str) -> Condition:
        return lambda event: at(event, reference) not in (None, False)

    def _operand(self) -> Callable[[Event], Any]:
        if self.kind == "field":
            reference = self.take("field")
            return lambda event: at(event, reference)
        constant = (
            _number(self.take("number")) if self.kind == "number" else _bare(self.take("string", "number"))
        )
        return lambda _: constant


def _bare(text: str) -> str:
    return text[1:-1] if text[:1] in {'"', "'"} else text


def _number(text: str) -> float | int:
    return float(text) if "." in text else int(text)
