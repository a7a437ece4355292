"""Sentences about settings that cannot work: variable, value, rule, what to write."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any


def problem(variable: str, value: object, rule: str, instead: str) -> str:
    """Return the sentence for one value."""
    return f"{variable} is {value!r}: {rule}; write {instead}"


def number_problems(
    settings: Mapping[str, Any], numbers: Mapping[str, tuple[int, int, int]]
) -> Iterator[str]:
    """Say of each number that is given and out of its bounds, or no whole number, what is wrong.

    Args:
        settings: Variables by name; one that is missing is not looked at.
        numbers: Variable -> least, most, and what to write for example.
    """
    for variable, (least, most, usual) in numbers.items():
        if variable not in settings:
            continue
        value = settings[variable]
        number = None if isinstance(value, bool) or not re.fullmatch(r"-?[0-9]+", str(value)) else int(value)
        if number is None or not least <= number <= most:
            rule = f"must be a whole number from {least} to {most}"
            yield problem(variable, value, rule, f"for example {usual}")
