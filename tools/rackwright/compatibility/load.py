"""Load the facts: from the variable `compatibility`, or from the project's own file."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rackwright.catalogue.findings import Finding, FindingsError, short
from rackwright.compatibility.model import Compatibility
from rackwright.site.paths import repository_root
from rackwright.site.plain import plain

_FACTS = TypeAdapter(Compatibility)
_FILE = "group_vars/all/compatibility.yml"


def load_compatibility(value: object) -> Compatibility:
    """Return the facts that the variable `compatibility` holds.

    Raises:
        FindingsError: Anything in it is wrong; holds every finding.
    """
    try:
        return _FACTS.validate_python(plain(value))
    except ValidationError as error:
        raise FindingsError(
            Finding(
                ".".join(("compatibility", *(str(part) for part in item["loc"]))),
                short(item["input"]),
                item["msg"],
                f"{_FILE} has the keys and their meaning",
            )
            for item in error.errors()
        ) from error


@functools.cache
def project_compatibility() -> Compatibility:
    """Return the facts of the project's own file."""
    # PyYAML takes 60 ms to import; who hands the variable over does not need it.
    import yaml  # noqa: PLC0415

    with (repository_root() / _FILE).open(encoding="utf-8") as stream:
        data: Mapping[str, Any] = yaml.safe_load(stream)
    return load_compatibility(data["compatibility"])
