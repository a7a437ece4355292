"""A size that cannot work, and the changes that would make it work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rackwright.errors import RackwrightError
from rackwright.sizing.explained import Scalar


@dataclass(frozen=True)
class Change:
    """One change by which a refused host is accepted.

    Attributes:
        variable: what to set: `host_memory_mb`, `host_disk_gb`, `postgresql_connections`,
            `services.<name>.memory.minimum_mb`, …; or `move`, which takes a service away from the host.
        value: what to set it to; for `move` the name of the service.
        text: the same in words.
        also: what else has to be changed with it, where one change is not enough.
    """

    variable: str
    value: Scalar
    text: str
    also: tuple[Change, ...] = ()


class RefusedError(RackwrightError):
    """What was asked cannot work; each of `changes` alone would make it work."""

    def __init__(self, message: str, changes: Sequence[Change]) -> None:
        super().__init__(message, hint=", or ".join(change.text for change in changes) or None)
        self.changes = tuple(changes)
