"""What the backup host knows: which stores there are, where they are kept, and for how long."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rackwright.backup.agent.kinds import KINDS
from rackwright.backup.agent.shell import Failed

SETTINGS = Path("/etc/rackwright/backup/repository.json")
HOUR, DAY = 3600, 24 * 3600
SSH = ["ssh", "-F", "/etc/rackwright/backup/ssh_config"]
# The site's own inventory, which comes from the control node.
SITE = "site/configuration"


@dataclass(frozen=True)
class Store:
    """One store of one host.

    Attributes:
        name: `<host>/<service>`.
        host: Inventory name of the host.
        address: Its address.
        service: The catalogue's name.
        kind: Of its state.
        version: Major version of a PostgreSQL cluster; empty for others.
        every_minutes: How often it is kept where once a night is too seldom; else 0.
    """

    name: str
    host: str
    address: str
    service: str
    kind: str
    version: str = ""
    every_minutes: int = 0

    @property
    def stanza(self) -> str:
        """PgBackRest's name of the cluster."""
        return self.host

    @property
    def by_pgbackrest(self) -> bool:
        """Whether pgBackRest keeps it, and not restic."""
        return KINDS[self.kind].stream is None

    @property
    def due_seconds(self) -> int:
        """Without a good backup for so long one is overdue: one was missed, and has had time to come late."""
        every = self.every_minutes * 60 or DAY
        return every + min(2 * HOUR, every + HOUR // 2)

    def ask(self, *words: str) -> list[str]:
        """Return the command that asks its host."""
        return [*SSH, self.address, *words]


@dataclass(frozen=True)
class Repository:
    """The backup host's settings.

    Attributes:
        path: Directory of both repositories.
        retention_days: How long backups are kept.
        stores: All stores of the site.
    """

    path: Path
    retention_days: int
    stores: tuple[Store, ...] = field(default=())

    @property
    def points(self) -> Path:
        """Directory with a file for each named point of the whole site."""
        return self.path / "points"

    @property
    def marks(self) -> Path:
        """Directory with what each cluster held at a point of its own, made after each backup."""
        return self.path / "marks"

    def store(self, name: str) -> Store:
        """Return a store by name.

        Raises:
            Failed: There is none of this name.
        """
        for store in self.stores:
            if name in {store.name, f"{store.host}/{store.service}"}:
                return store
        raise Failed(
            f"there is no store {name}", f"the stores are {', '.join(store.name for store in self.stores)}"
        )


def load(path: Path = SETTINGS) -> Repository:
    """Return the settings of this host."""
    given: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return Repository(
        Path(given["path"]), int(given["retention_days"]), tuple(Store(**entry) for entry in given["stores"])
    )
