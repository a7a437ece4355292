"""A host's hardware.yml: where it is, how it is written, what a new scan changes in it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter

from rackwright.catalogue.findings import Finding, short
from rackwright.catalogue.load import parse
from rackwright.hardware.model import Hardware
from rackwright.site.hardware_checks import HINT

VARIABLE = "hardware"
_HARDWARE = TypeAdapter(Hardware)
_HEADER = """\
---
# What {host} is made of. Written by `rackwright scan`, which writes again only what has changed: read the
# difference, then commit it. Budgets, the choice of models and preflight go by this file.
# host_memory_mb and host_cpus of the inventory win over it.
"""
# Free space changes all the time; from this part of the whole on it is worth a difference.
_WORTH_TELLING = 0.05


@dataclass(frozen=True)
class Change:
    """One value that a scan found changed.

    Attributes:
        path: where it is: `gpus.0.driver`.
        old: the stored value, None for one that was not there.
        new: what was found, None for one that is gone.
    """

    path: str
    old: object
    new: object


def path_of(inventories: Sequence[Path], host: str) -> Path:
    """Return a host's file: in the inventory given last, whose values win."""
    last = inventories[-1]
    directory = last if last.is_dir() else last.parent
    return directory / "host_vars" / host / "hardware.yml"


def load(path: Path) -> tuple[Hardware | None, list[Finding]]:
    """Return what is stored; None where there is nothing, or nothing valid, and what is wrong with it."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None, []
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        return None, [Finding(VARIABLE, "(unreadable)", reason, HINT, str(path))]
    value = content.get(VARIABLE) if isinstance(content, Mapping) else content
    findings: list[Finding] = []
    hardware = parse(_HARDWARE, VARIABLE, value, findings)
    return hardware, [replace(finding, hint=HINT, where=str(path)) for finding in findings]


def settled(stored: Hardware, found: Hardware) -> Hardware:
    """Return what was found, with the stored free space where it is nearly the same."""
    known = {entry.mount: entry for entry in stored.filesystems}
    kept = []
    for entry in found.filesystems:
        before = known.get(entry.mount)
        if before and abs(before.free_mb - entry.free_mb) < _WORTH_TELLING * entry.size_mb:
            kept.append(entry.model_copy(update={"free_mb": before.free_mb}))
        else:
            kept.append(entry)
    return found.model_copy(update={"filesystems": kept})


def changes(stored: Hardware | None, found: Hardware) -> list[Change]:
    """Return what differs, in the file's order."""
    if stored is None:
        return []
    return list(_differences("", stored.model_dump(), found.model_dump()))


def _differences(path: str, old: object, new: object) -> Iterator[Change]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        pairs = [(key, old.get(key), new.get(key)) for key in {**old, **new}]
    elif isinstance(old, list) and isinstance(new, list) and any(isinstance(e, dict) for e in [*old, *new]):
        before, after = _named(old), _named(new)
        pairs = [(key, before.get(key), after.get(key)) for key in {**before, **after}]
    else:
        if old != new:
            yield Change(path, old, new)
        return
    for key, left, right in pairs:
        yield from _differences(f"{path}.{key}" if path else str(key), left, right)


def _named(entries: Sequence[Any]) -> dict[str, Any]:
    """Give the entries of a list the names that people know them by, so that one more shifts no others."""
    names = ("pci_address", "mount", "name", "node")
    return {
        str(next((entry[name] for name in names if name in entry), number)): entry
        for number, entry in enumerate(entries)
    }


class _Dumper(yaml.SafeDumper):
    """Indents lists, as the house's linters want them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        """Indent lists below their key."""
        super().increase_indent(flow, indentless=False)


def render(host: str, hardware: Hardware) -> str:
    """Return the content of a host's file."""
    body = yaml.dump(
        {VARIABLE: hardware.model_dump()},
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=100,
        default_flow_style=False,
    )
    return _HEADER.format(host=host) + body


def write(path: Path, host: str, hardware: Hardware) -> None:
    """Write a host's file in one step: a reader finds the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=".hardware.", delete=False
    ) as stream:
        try:
            stream.write(render(host, hardware))
            stream.flush()
            os.fsync(stream.fileno())
            Path(stream.name).chmod(0o644)
            Path(stream.name).replace(path)
        except BaseException:
            Path(stream.name).unlink(missing_ok=True)
            raise


def shown(value: object) -> str:
    """Return a value of a change for people."""
    if value is None:
        return "(none)"
    if isinstance(value, Mapping):
        return short(", ".join(f"{key}: {item}" for key, item in value.items() if item not in (None, "", [])))
    return short(str(value))
