"""Links to unit files: what enables a unit, and what systemd has not read of it yet."""

from __future__ import annotations

from ansible.module_utils.rackwright import command, systemd, unit_start
from ansible.module_utils.rackwright.unit_plan import Step, Unit, UnitError, Wish


def as_on_disk(unit: Unit) -> Unit:
    """Return the unit as enabled as its links are now; systemd knows what they were when it read them."""
    said = command.run(["systemctl", "is-enabled", "--", unit.identity]).stdout.split()
    return Unit(unit.name, {**unit.properties, "UnitFileState": said[0]}) if said and unit.known else unit


def change(wish: Wish, unit: Unit, steps: list[Step]) -> None:
    """Enable, disable or unmask.

    Raises:
        UnitError: There is no such unit, or systemctl refuses.
    """
    if steps and not unit.known:
        raise unknown(wish)
    for step in steps:
        outcome = systemd.tell_files(step.verb, unit.identity)
        if outcome.rc != 0:
            raise unit_start.failure(wish.name, step.verb, unit, outcome)


def unknown(wish: Wish) -> UnitError:
    """The error for a unit that is not there."""
    return UnitError(f"{wish.name}: systemd knows no such unit; is its package installed, its file written?")
