"""Whether a host holds the old and the new model at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Room:
    """What a host has for its engine, and what models need of it, in MB.

    Attributes:
        host: Inventory name.
        what: `memory`, or `GPU memory`.
        there: The engine's part of it.
        old: What all models need that are served.
        second: What the new one takes beside them while it is proven.
        after: What all models need afterwards.
        twice: Whether the new one is loaded again in the place of the old one while the second server runs.
    """

    host: str
    what: str
    there: int
    old: int
    second: int
    after: int
    twice: bool

    @property
    def beside(self) -> bool:
        """Whether both fit at the moment when most is loaded."""
        return self.second + (max(self.old, self.after) if self.twice else self.old) <= self.there

    @property
    def alone(self) -> bool:
        """Whether what is served afterwards fits."""
        return self.after <= self.there

    @property
    def second_mb(self) -> int:
        """What the second server may take while both run."""
        return self.there - max(self.old, self.after)


def problem(rooms: Mapping[str, Room], *, stop_first: bool) -> tuple[str, str] | None:
    """Return why the hosts cannot be switched so, and what to do; None where they can."""
    too_small = [room for room in rooms.values() if not room.alone]
    if too_small:
        told = ", ".join(
            f"{room.host} has {room.there} MB of {room.what} for its engine" for room in too_small
        )
        return (
            f"{too_small[0].after} MB would be needed with the new model: {told}",
            "take a smaller model or build: `rackwright models fit`",
        )
    crowded = [room for room in rooms.values() if not room.beside]
    if crowded and not stop_first:
        told = "; ".join(
            f"{room.host} has {room.there} MB of {room.what} for its engine,"
            f" {room.old} MB are in use and the new one needs {room.second} MB beside them"
            + (", and again in the place of the old one" if room.twice else "")
            for room in crowded
        )
        return (
            f"both models do not fit at once: {told}",
            (
                "--stop-first takes one host after the other, and stops the old model there before the new"
                " one is loaded: requests go to the other hosts where the site has several and a route, and"
                " wait or fail where it has not; a new model that is refused gives its place back"
            ),
        )
    return None
