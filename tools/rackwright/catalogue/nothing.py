"""An explicit `none: <reason>`: what a service has not is said, not left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Discriminator, Field

from rackwright.catalogue.route import STRICT


@dataclass(frozen=True, kw_only=True)
class Nothing:
    """An explicit `none: <reason>`, where a service has no metrics, logs or state of its own."""

    __pydantic_config__: ClassVar = STRICT
    none: Annotated[str, Field(min_length=1)]


def shape(value: Any) -> str:  # noqa: ANN401 - pydantic hands over whatever YAML said
    """Tell which alternative a value means by the keys that it has."""
    if isinstance(value, Mapping):
        for key in ("none", "journal", "file", "container", "exporter", "of"):
            if key in value:
                return f"~{key}"
    return "~data"


NoneOr = Discriminator(shape)
