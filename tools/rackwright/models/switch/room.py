"""Whether a host holds the old and the new model at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Room:
    """What a host has for its engine, and what two models need of it, in MB.

    Attributes:
        host: Inventory name.
        there: The engine's part of the host's memory.
        old: What the model needs that is served.
        new: What the other one needs.
    """

    host: str
    there: int
    old: int
    new: int

    @property
    def beside(self) -> bool:
        """Whether both fit; the new one is there twice for a moment, when it takes the old one's place."""
        return self.new + max(self.old, self.new) <= self.there

    @property
    def alone(self) -> bool:
        """Whether the new one fits by itself."""
        return self.new <= self.there

    @property
    def second_mb(self) -> int:
        """What the second server may take while both run."""
        return self.there - max(self.old, self.new)


def problem(rooms: Mapping[str, Room], *, stop_first: bool) -> tuple[str, str] | None:
    """Return why the hosts cannot be switched so, and what to do; None where they can."""
    too_small = [room for room in rooms.values() if not room.alone]
    if too_small:
        told = ", ".join(f"{room.host} has {room.there} MB for its engine" for room in too_small)
        return (
            f"the new model needs {too_small[0].new} MB: {told}",
            "take a smaller model or build: `rackwright models fit`",
        )
    crowded = [room for room in rooms.values() if not room.beside]
    if crowded and not stop_first:
        told = "; ".join(
            f"{room.host} has {room.there} MB for its engine,"
            f" the old model needs {room.old} and the new one {room.new}"
            for room in crowded
        )
        return (
            f"both models do not fit at once: {told}",
            (
                "--stop-first stops the old one before the new one is loaded: nothing is served meanwhile,"
                " and the old one is loaded again if the new one is refused"
            ),
        )
    return None
