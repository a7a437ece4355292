"""Where lines are: `<day>/<zone>/<host>/<service>.jsonl`; what was packed: `<service>.<number>.jsonl.gz`.

Days are those of the lines themselves, in UTC, so that a search knows where to look.
"""

from __future__ import annotations

import gzip
import ipaddress
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

PLAIN, PACKING, PACKED, HALF = ".jsonl", ".jsonl.packing", ".jsonl.gz", ".half"
DAY = "%Y-%m-%d"
UNKNOWN = "unknown"
_DAY = re.compile(r"^\d{4}-\d\d-\d\d$")
_SERVICE = re.compile(r"^[A-Za-z0-9_-]{1,64}$")
# A clock that is wrong puts lines no further than this into days to come.
_AHEAD = timedelta(days=1)


@dataclass(frozen=True)
class Place:
    """The lines of one service on one host on one day."""

    day: str
    zone: str
    host: str
    service: str

    def plain(self, root: Path) -> Path:
        """The file that lines are added to."""
        return self._directory(root) / f"{self.service}{PLAIN}"

    def packed(self, root: Path) -> list[Path]:
        """What was packed of it, in order."""
        found = self._directory(root).glob(f"{self.service}.*{PACKED}")
        return sorted(found, key=number_of)

    def next_packed(self, root: Path) -> Path:
        """The file that what is packed next goes to."""
        last = max(map(number_of, self.packed(root)), default=0)
        return self._directory(root) / f"{self.service}.{last + 1}{PACKED}"

    def _directory(self, root: Path) -> Path:
        return root / self.day / self.zone / self.host


def number_of(packed: Path) -> int:
    """Return which of a service's packed files of a day one is."""
    return int(packed.name.removesuffix(PACKED).rpartition(".")[2])


def place_of(time: datetime, now: datetime, sender: tuple[str, str], service: str) -> Place:
    """Return where a line belongs.

    Args:
        time: The line's own.
        now: When it came.
        sender: Zone and host.
        service: As the line says it.
    """
    day = time if time < now + _AHEAD else now
    named = service if _SERVICE.match(service) else UNKNOWN
    return Place(f"{day.astimezone(timezone.utc):{DAY}}", *sender, named)


def place_at(path: Path) -> Place:
    """Return whose lines a file has."""
    host = path.parent
    return Place(host.parent.parent.name, host.parent.name, host.name, path.name.partition(".")[0])


def sender_of(address: str, hosts: Mapping[str, tuple[str, str]]) -> tuple[str, str]:
    """Return zone and host of an address; whoever is not known is called by it."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return UNKNOWN, UNKNOWN
    mapped = getattr(found, "ipv4_mapped", None)
    plain = str(mapped or found)
    return hosts.get(plain, (UNKNOWN, plain.replace(":", "_")))


def days(root: Path) -> list[Path]:
    """Return the days that there are lines of, the oldest first."""
    return sorted(path for path in root.iterdir() if _DAY.match(path.name)) if root.is_dir() else []


def places(
    root: Path, since: datetime, until: datetime, hosts: Collection[str], services: Collection[str]
) -> Iterator[Place]:
    """Yield the places that may have lines of a time; of all hosts or services where none are named."""
    first, last = f"{since.astimezone(timezone.utc):{DAY}}", f"{until.astimezone(timezone.utc):{DAY}}"
    for day in days(root):
        if not first <= day.name <= last:
            continue
        found = {place_at(path) for path in day.glob("*/*/*.jsonl*") if not path.name.endswith(HALF)}
        for place in sorted(found, key=lambda place: (place.zone, place.host, place.service)):
            if (not hosts or place.host in hosts) and (not services or place.service in services):
                yield place


def lines_at(place: Place, root: Path) -> Iterator[bytes]:
    """Yield all whole lines of a place as they came; what came twice, or is packed meanwhile, comes twice.

    A file only goes from plain to packed: opened in this order, it is not missed on its way.
    """
    plain = place.plain(root)
    with ExitStack() as stack:
        growing = _opened(plain, stack)
        packing = _opened(plain.with_name(f"{place.service}{PACKING}"), stack)
        for path in place.packed(root):
            try:
                with gzip.open(path) as file:
                    yield from file
            except FileNotFoundError:
                # Its days are over.
                continue
        for lines in (packing, growing):
            yield from (line for line in lines if line.endswith(b"\n"))


def _opened(path: Path, stack: ExitStack) -> Iterable[bytes]:
    try:
        return stack.enter_context(path.open("rb"))
    except FileNotFoundError:
        return ()
