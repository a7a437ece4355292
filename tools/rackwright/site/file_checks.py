"""Checks of the inventory's files as text: what YAML itself lets pass, or what keeps it from being read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from rackwright.catalogue.findings import Finding, short

# What a finding of a file that cannot be read at all has for its variable.
UNREADABLE = "file"
_SUFFIXES = frozenset({".yml", ".yaml", ".json"})
_ENCRYPTED = "$ANSIBLE_VAULT"
# libyaml, where PyYAML has it, reads a site in a tenth of the time.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def file_findings(sources: Sequence[Path]) -> Iterator[Finding]:
    """Yield files that are no YAML, and keys that a file gives twice (the last would silently win)."""
    for path in _files(sources):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            yield Finding(
                UNREADABLE, "(not UTF-8)", "an inventory's file is UTF-8 text", "save it so", str(path)
            )
            continue
        if text.startswith(_ENCRYPTED):
            continue
        try:
            document = yaml.compose(text, Loader=_LOADER)
        except yaml.MarkedYAMLError as error:
            yield _syntax(error, text, path)
            continue
        except yaml.YAMLError as error:
            yield Finding(
                UNREADABLE, "(unreadable)", short(str(error), 160), "save it as UTF-8 text", str(path)
            )
            continue
        if document is not None:
            yield from _twice(document, path, ())


def _files(sources: Sequence[Path]) -> Iterator[Path]:
    for source in sources:
        if source.is_file() and source.suffix in _SUFFIXES:
            yield source
            beside = source.parent
        else:
            beside = source
            top = (path for path in source.glob("*") if path.suffix in _SUFFIXES and path.is_file())
            yield from sorted(top)
        for variables in ("group_vars", "host_vars"):
            for path in sorted((beside / variables).rglob("*")):
                inside = path.relative_to(beside)
                hidden = any(part.startswith(".") for part in inside.parts)
                if path.is_file() and path.suffix in {*_SUFFIXES, ""} and not hidden:
                    yield path


def _syntax(error: yaml.MarkedYAMLError, text: str, path: Path) -> Finding:
    mark = error.problem_mark or error.context_mark
    number = mark.line + 1 if mark is not None else 1
    lines = text.splitlines()
    line = lines[number - 1] if number <= len(lines) else ""
    where = f"{path}:{number}"
    if "\t" in line[: len(line) - len(line.lstrip())] or "'\\t'" in str(error):
        return Finding(
            UNREADABLE, "a tab", "YAML is indented by spaces alone", "put spaces for the tab", where
        )
    # The line itself is not shown: it may hold a password.
    rule = f"this is no YAML: {error.problem or error.context}"
    return Finding(
        UNREADABLE, "(not shown)", rule, "mend this line or the one before; `yamllint` shows more", where
    )


def _twice(node: yaml.Node, path: Path, at: tuple[str, ...]) -> Iterator[Finding]:
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _twice(item, path, (*at, str(number)))
        return
    if not isinstance(node, yaml.MappingNode):
        return
    seen: dict[str, int] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        here, line = (*at, str(key.value)), key.start_mark.line + 1
        # `<<` merges: a mapping may have several.
        if key.value in seen and key.value != "<<":
            yield _given_twice(here, seen[key.value], path, line)
        seen.setdefault(key.value, line)
        yield from _twice(value, path, here)


def _given_twice(at: tuple[str, ...], first: int, path: Path, line: int) -> Finding:
    return Finding(
        ".".join(at),
        "(given twice)",
        f"a key stands once; line {first} has it already, and the last one would silently win",
        "remove one of them",
        f"{path}:{line}",
    )
