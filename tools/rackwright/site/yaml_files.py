"""Reads plain YAML files of the project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

# A safe loader either way; the one of C is ten times as fast.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    """Return what a file holds; None when it is empty.

    Raises:
        OSError: It cannot be read.
        yaml.YAMLError: It is no YAML.
    """
    return yaml.load(path.read_bytes(), Loader=_LOADER)  # noqa: S506 - a safe loader, as above
