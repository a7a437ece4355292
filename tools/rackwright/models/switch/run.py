"""Switch a site to another model, or back: the playbook, and what the site then says that it serves."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rackwright.models.store.files import StoreError
from rackwright.models.switch import literal
from rackwright.models.switch.callers import settle, tell_callers
from rackwright.models.switch.order import Wish, order
from rackwright.models.switch.room import problem
from rackwright.models.switch.served import served
from rackwright.models.switch.site import Serving, serving_of
from rackwright.models.switch.state import Previous, ServingFile
from rackwright.models.switch.target import Target, standing, target_of
from rackwright.models.switch.ways import Value, replaced, settled, where_of
from rackwright.models.switch.ways import served as served_entry
from rackwright.operations.runner import Run, run_playbook
from rackwright.site.sources import strongest_directory

PLAYBOOK = "playbooks/switch_model.yml"
WANTED = "models_wanted"
Say = Callable[[str], None]
# What an entry says of a switch that is under way, and not of the model.
_PASSING = ("also", "leaving")


def switch(
    sources: Sequence[Path], engine: str | None, name: str, quantisation: str | None, wish: Wish, say: Say
) -> None:
    """Serve another model.

    Raises:
        RackwrightError: It cannot be served, or was refused; the old one serves on.
    """
    serving = serving_of(sources, engine)
    value = serving.current()
    current = served_entry(serving.way, value)
    target = target_of(serving.way, name, quantisation, serving.variables)
    if target.name == current["name"] and where_of(target.entry) == where_of(current):
        say(f"{target.name} is served already")
        return
    if target.name == current["name"] and serving.way.beside == "server":
        raise StoreError(
            f"{target.name} is served already, from {where_of(current) or 'a file that the role brings'}, and"
            f" {serving.way.engine} holds both builds only by two names",
            hint=f"change {serving.way.variable} and run `rackwright apply`: the other build takes its place",
        )
    _move(sources, serving, value, target, wish, say)


def rollback(sources: Sequence[Path], engine: str | None, wish: Wish, say: Say) -> None:
    """Serve again what was served before the last switch.

    Raises:
        RackwrightError: Nothing was switched, or it cannot be loaded; what is served now serves on.
    """
    serving = serving_of(sources, engine)
    file = ServingFile(strongest_directory(sources))
    previous = file.previous(serving.way.engine)
    if previous is None:
        raise StoreError(
            f"nothing was switched: {file.path} names no model from before for {serving.way.engine}",
            hint="switch to a model by its name",
        )
    known = standing(previous.model, serving.variables)
    _move(sources, serving, serving.current(), Target(known.entry, previous.build, known.size), wish, say)


def _move(
    sources: Sequence[Path], serving: Serving, value: Value, target: Target, wish: Wish, say: Say
) -> None:
    way = serving.way
    old = standing(served_entry(way, value), serving.variables)
    after = replaced(way, value, target.entry)
    if wish.stop_first:
        # Nothing of the old one can stay.
        after = settled(way, after)
    rooms = serving.rooms(value, target)
    refused = problem(rooms, stop_first=wish.stop_first)
    if refused is not None:
        raise StoreError(refused[0], hint=refused[1])
    file = ServingFile(strongest_directory(sources))
    before = {key: item for key, item in old.entry.items() if key not in _PASSING}
    values = file.with_previous(Previous(way.engine, before, old.build, _now())) | {
        way.variable: after,
        WANTED: _wanted(serving.variables, target.build, old.build),
    }
    _rehearse(sources, serving, target, file, values)
    for room in rooms.values():
        say(
            f"{room.host}: {room.there} MB of {room.what}; {room.old} in use, {room.after} with {target.name}"
        )
    run = _play(sources, {"switch": order(serving, value, after, target, rooms, wish)})
    _tell_answers(run, say)
    if not run.successful:
        raise StoreError(
            f"{old.name} serves on; {target.name} was refused:\n{reasons(run)}", hint=f"the run: {run.log}"
        )
    file.write(values)
    say(f"{target.name} is served; {file.path} says so")
    if wish.callers:
        tell_callers(sources, serving.route, serving.callers, say)
        settle(sources, serving, file, say)


def _rehearse(
    sources: Sequence[Path], serving: Serving, target: Target, file: ServingFile, values: Mapping[str, Any]
) -> None:
    """See before anything is touched that what will be written counts: another file may be stronger."""
    content = file.content()
    try:
        file.write(values)
        names, origins = served(sources, serving.way.variable, list(serving.hosts))
    finally:
        file.restore(content)
    for host, name in names.items():
        if name != target.name:
            raise StoreError(
                f"{file.path} would not count: {host} would still be told to serve {name}",
                hint=f"{serving.way.variable} is defined in {', '.join(origins)}; keep it in a file that"
                " serving.yml comes after, such as group_vars/all/models.yml",
            )


def _play(sources: Sequence[Path], variables: Mapping[str, Any]) -> Run:
    with tempfile.NamedTemporaryFile("w", suffix=".yml", encoding="utf-8") as given:
        given.write(literal.dump(dict(variables)))
        given.flush()
        return run_playbook(PLAYBOOK, sources, arguments=["-e", f"@{given.name}"])


def _tell_answers(run: Run, say: Say) -> None:
    for result in run.recap.results:
        for answer in result.result.get("answers") or ():
            verdict = "ok" if answer["ok"] else f"REFUSED: {answer['why']}"
            say(
                f"{result.host}: {answer['name']}: first token after {answer['first_token_seconds']:.2f} s,"
                f" {answer['tokens']} tokens in {answer['seconds']:.2f} s,"
                f" {answer['tokens_per_second']:.1f} tokens/s: {verdict}"
            )


def reasons(run: Run) -> str:
    """Return what failed in a run, a line for each host."""
    told = dict.fromkeys(f"{result.host}: {result.message}" for result in run.recap.failed)
    return "\n".join(told) or f"the run ended as {run.status}"


def _wanted(variables: Mapping[str, Any], *builds: Mapping[str, str] | None) -> list[dict[str, str]]:
    """Return what hosts are to have: what they had, and these builds."""
    wanted = [dict(each) for each in variables.get(WANTED) or ()]
    wanted += [dict(each) for each in builds if each is not None and dict(each) not in wanted]
    return wanted


def _now() -> str:
    return datetime.now(tz=UTC).isoformat(timespec="seconds")
