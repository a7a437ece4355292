"""How each kind of state of the catalogue is kept: with which program, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How a kind of state is kept.

    Attributes:
        keeper: pgbackrest (blocks and write-ahead log) or restic (a stream of files).
        schedule: minute, hour and weekday of cron.
        due_hours: Without a good backup for so long, health says that one is overdue.
    """

    keeper: Literal["pgbackrest", "restic"]
    schedule: str
    due_hours: int


# Each kind of `state` has its line here; a contract test holds the model to it. What is taken daily
# is overdue after a day and two hours.
KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "postgresql": Kind(keeper="pgbackrest", schedule="0 1 * * *", due_hours=26),
        "mariadb": Kind(keeper="restic", schedule="0 2 * * *", due_hours=26),
        "mongodb": Kind(keeper="restic", schedule="0 2 * * *", due_hours=26),
        "redis": Kind(keeper="restic", schedule="0 2 * * *", due_hours=26),
        "qdrant": Kind(keeper="restic", schedule="0 2 * * *", due_hours=26),
        "vectors": Kind(keeper="restic", schedule="0 2 * * *", due_hours=26),
        "files": Kind(keeper="restic", schedule="0 2 * * *", due_hours=26),
    }
)
