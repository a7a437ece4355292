"""Numbers as regular expressions, for a proxy that compares a header's text and not its value."""

from __future__ import annotations


def longer_than(limit: int) -> str:
    """Return an expression for every whole number above a limit, leading zeros or not.

    Args:
        limit: Zero or more.
    """
    digits = str(limit)
    larger = [f"[1-9][0-9]{{{len(digits)},}}"]
    for place, digit in enumerate(digits):
        if digit != "9":
            larger.append(f"{digits[:place]}[{int(digit) + 1}-9][0-9]{{{len(digits) - place - 1}}}")
    return f"^0*({'|'.join(larger)})$"
