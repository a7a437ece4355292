"""The configuration: read, and refused where Traefik's reference has no such key (traefik.documented.yml)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

Tree = dict[str, Any]
_KINDS = {
    "text": str,
    "flag": bool,
    "number": int,
    "list": list,
    "texts": dict,
}
_DURATION = re.compile(r"-?[0-9]+|(-?[0-9.]+(ns|us|ms|s|m|h))+")


class ToldError(Exception):
    """The configuration is none; the text is what the program says when it ends."""


def read(path: Path, known: Mapping[str, Any]) -> Tree:
    """Return what a file says.

    Raises:
        ToldError: It is no YAML, or has a key that is not known.
    """
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ToldError(f"{path}: {error}") from error
    return checked(tree, known)


def checked(tree: object, known: Mapping[str, Any]) -> Tree:
    """Return a configuration in which every key is known and every value of its kind."""
    wrong = list(_wrong(tree, known, ""))
    if wrong:
        raise ToldError("; ".join(wrong))
    assert isinstance(tree, dict)
    return tree


def of_flags(flags: Sequence[str], known: Mapping[str, Any]) -> Tree:
    """Return what the command line says; its names are those of the static configuration, in any case."""
    tree: Tree = {}
    for flag in flags:
        name, _, text = flag.removeprefix("--").partition("=")
        place, kinds = tree, known
        *above, last = name.split(".")
        for part in above:
            known_part, kinds = _step(kinds, part, name)
            place = place.setdefault(known_part, {})
        last, kind = _step(kinds, last, name)
        place[last] = {"flag": text in {"", "true"}, "number": int(text) if text.isdigit() else text}.get(
            kind, text
        )
    return checked(tree, known)


def _step(kinds: Any, part: str, name: str) -> tuple[str, Any]:  # noqa: ANN401 - a tree of YAML's
    if isinstance(kinds, Mapping):
        if "*" in kinds:
            return part, kinds["*"]
        for known, kind in kinds.items():
            if known.lower() == part.lower():
                return known, kind
    raise ToldError(f"failed to decode configuration from flags: field not found, node: {name}")


def _wrong(value: object, kind: Any, place: str) -> Iterator[str]:  # noqa: ANN401 - a tree of YAML's
    if isinstance(kind, Mapping):
        yield from _wrong_keys(value, kind, place)
    elif isinstance(kind, list):
        if not isinstance(value, list):
            yield f"{place}: {value!r} is no list"
            return
        for below in value:
            yield from _wrong(below, kind[0], f"{place}[].")
    elif not _is(value, kind):
        yield f"{place}: {value!r} is not {kind}"


def _wrong_keys(value: object, kind: Mapping[str, Any], place: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{place}: {value!r} has no keys"
        return
    for name, below in value.items():
        known = kind.get("*", kind.get(name))
        if known is None:
            yield f"field not found, node: {place}{name}"
        else:
            yield from _wrong(below, known, f"{place}{name}.")


def _is(value: object, kind: str) -> bool:
    if kind == "duration":
        return bool(_DURATION.fullmatch(str(value)))
    if kind.startswith("one of "):
        return str(value) in kind.removeprefix("one of ").split(" ")
    return isinstance(value, _KINDS[kind]) and not (kind == "number" and isinstance(value, bool))


def documented() -> Mapping[str, Any]:
    """Return what Traefik's reference has; it lies beside the program."""
    import importlib.resources  # noqa: PLC0415 - of a zip, where there is no path

    text = importlib.resources.files("double").joinpath("documented.json").read_text(encoding="utf-8")
    known: Mapping[str, Any] = json.loads(text)
    return known
