"""What a check of a host found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

Severity = Literal["ok", "info", "warning", "error"]


@dataclass(frozen=True)
class HostFinding:
    """One result of one check on one host.

    Attributes:
        severity: `error` stops an apply, `warning` does not, `info` is worth knowing, `ok` passed.
        host: The host's name in the inventory.
        check: Short name of the check: `memory`, `driver`, `clock`, …
        found: What there is, with its unit.
        needed: What there should be, with its unit.
        mend: What to do; empty for `ok`.
    """

    severity: Severity
    host: str
    check: str
    found: str
    needed: str
    mend: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the finding for JSON."""
        return asdict(self)
