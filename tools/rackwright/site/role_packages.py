"""What a role wants installed, by system: its meta/packages.yml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from rackwright.errors import RackwrightError
from rackwright.site.yaml_files import read_yaml

_ENTRY_KEYS = {"install", "machine", "optional", "seed_files", "unsupported"}
_SEED_KEYS = {"dest", "content", "mode"}


def declared_in(role: Path) -> Mapping[str, Any]:
    """Return what a role's directory declares: system -> entry; nothing without the file.

    Raises:
        RackwrightError: It is no mapping.
    """
    path = role / "meta" / "packages.yml"
    if not path.exists():
        return {}
    try:
        declared = read_yaml(path)
    except yaml.YAMLError as error:
        raise RackwrightError(f"{path}: not YAML: {error}") from error
    if not isinstance(declared, dict):
        raise RackwrightError(
            f"{path}: write a dictionary with systems as keys, such as default or debian-13"
        )
    return declared


def for_system(
    role: str, declared: Mapping[str, Any], keys: Sequence[str], *, machine: bool = True
) -> dict[str, Any]:
    """Return the most specific entry of a role, checked: install, optional, seed_files.

    Args:
        role: Its name.
        declared: What it declares.
        keys: The system's names, the most specific first: `debian-13`, `debian`, `default`.
        machine: Whether the host has a kernel of its own, and so what the entry has for such hosts alone.

    Raises:
        RackwrightError: The role does not support the system, or the entry is malformed.
    """
    key = next((key for key in keys if key in declared), None)
    if key is None:
        if declared:
            known = ", ".join(sorted(declared))
            raise RackwrightError(f"role {role} has no packages for {keys[0]}, only for {known}")
        return {"install": [], "optional": [], "seed_files": []}
    where = f"roles/{role}/meta/packages.yml, {key}"
    entry = declared[key] or {}
    if not isinstance(entry, dict) or set(entry) - _ENTRY_KEYS:
        raise RackwrightError(f"{where}: write {', '.join(sorted(_ENTRY_KEYS))}, not {entry!r}")
    if entry.get("unsupported"):
        raise RackwrightError(f"role {role} does not support {keys[0]}: {entry['unsupported']}")
    seeds = entry.get("seed_files") or []
    for seed in seeds:
        if not isinstance(seed, dict) or set(seed) - _SEED_KEYS or not {"dest", "content"} <= set(seed):
            raise RackwrightError(f"{where}: a seed file has dest, content and optionally mode, not {seed!r}")
    of_machines = list_of_text(f"{where}, machine", entry.get("machine"))
    return {
        "install": list_of_text(f"{where}, install", entry.get("install")) + (of_machines if machine else []),
        "optional": list_of_text(f"{where}, optional", entry.get("optional")),
        "seed_files": seeds,
    }


def list_of_text(where: str, value: object) -> list[str]:
    """Return a list of names, of which one alone may be written without the list.

    Raises:
        RackwrightError: It is something else.
    """
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise RackwrightError(f"{where} is {value!r}; write a list of names")
    return [str(entry) for entry in value]
