"""A number that can say where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Scalar = int | float | str | bool


@dataclass(frozen=True)
class Explained:
    """One value and its reason.

    Attributes:
        value: the number, or the word where the setting is a word (`on`, `try`).
        unit: of the value: `MB`, `kB`, `cores`, `ms`; empty for a plain number.
        rule: how the value follows from the inputs, in one line.
        inputs: what the rule was fed with, by name.
        source: who says so: a manual, a plan, or a choice of this project.
    """

    value: Scalar
    unit: str
    rule: str
    inputs: Mapping[str, Scalar]
    source: str

    @property
    def text(self) -> str:
        """Value and unit as a person reads them, such as `4096 MB`."""
        shown = str(self.value).lower() if isinstance(self.value, bool) else str(self.value)
        unit = "core" if self.value == 1 and self.unit == "cores" else self.unit
        return f"{shown} {unit}".rstrip()

    def as_dict(self) -> dict[str, object]:
        """A plain dictionary for JSON."""
        return {
            "value": self.value,
            "unit": self.unit,
            "rule": self.rule,
            "inputs": dict(self.inputs),
            "source": self.source,
        }
