"""Switch a site to another model, or back: the playbook, and what the site then says that it serves."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rackwright.models.store.files import StoreError
from rackwright.models.switch.room import problem
from rackwright.models.switch.served import served
from rackwright.models.switch.site import VARIABLE, Serving, serving_of
from rackwright.models.switch.state import PREVIOUS, Previous, ServingFile
from rackwright.models.switch.target import Target, target_of
from rackwright.operations.runner import Run, run_playbook
from rackwright.secrets.location import site_directory

PLAYBOOK = "playbooks/switch_model.yml"
WANTED = "models_wanted"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Wish:
    """How to switch.

    Attributes:
        stop_first: Stop the old model before the new one is loaded.
        prove: Ask the golden prompts.
        port: Of the second server, on the host itself; the firewall opens it to nobody.
        drain_seconds: How long connections to the old model may go on.
        callers: Give the app, and the route before the engines, the new name.
    """

    stop_first: bool = False
    prove: bool = True
    port: int = 18080
    drain_seconds: int = 300
    callers: bool = True


def switch(
    sources: Sequence[Path], engine: str, name: str, quantisation: str | None, wish: Wish, say: Say
) -> None:
    """Serve another model.

    Raises:
        RackwrightError: It cannot be served, or was refused; the old one serves on.
    """
    serving = serving_of(sources, engine)
    current = serving.current()
    target = target_of(name, quantisation, serving.variables)
    if target.name == current["name"] and target.model.get("path") == current.get("path"):
        say(f"{target.name} is served already")
        return
    file = ServingFile(site_directory(sources))
    ours = file.read()
    old = Target(current, _build_of(current, serving.variables))
    previous = Previous(current, old.build, VARIABLE not in ours, _now())
    wanted = _wanted(serving.variables, target.build, old.build)
    values = {VARIABLE: {**target.model, "also": [old.name]}, WANTED: wanted, PREVIOUS: vars(previous)}
    _move(sources, serving, old, target, wish, file, values, say)


def rollback(sources: Sequence[Path], engine: str, wish: Wish, say: Say) -> None:
    """Serve again what was served before the last switch.

    Raises:
        RackwrightError: Nothing was switched, or it cannot be loaded; what is served now serves on.
    """
    serving = serving_of(sources, engine)
    current = serving.current()
    file = ServingFile(site_directory(sources))
    previous = file.previous()
    if previous is None:
        raise StoreError(
            f"nothing was switched: {file.path} names no model from before",
            hint="switch to a model by its name",
        )
    target = Target(dict(previous.model), previous.build)
    old = Target(current, _build_of(current, serving.variables))
    back = Previous(current, old.build, VARIABLE not in file.read(), _now())
    values: dict[str, Any] = {PREVIOUS: vars(back)}
    if previous.own:
        # The site's own word counts again; hosts keep the files for the way forward.
        wanted = _wanted(serving.variables, None, old.build)
    else:
        values = {VARIABLE: {**target.model, "also": [old.name]}, **values}
        wanted = _wanted(serving.variables, target.build, old.build)
    _move(sources, serving, old, target, wish, file, {**values, WANTED: wanted}, say)


def _move(
    sources: Sequence[Path],
    serving: Serving,
    old: Target,
    target: Target,
    wish: Wish,
    file: ServingFile,
    values: Mapping[str, Any],
    say: Say,
) -> None:
    rooms = serving.rooms(old, target)
    refused = problem(rooms, stop_first=wish.stop_first)
    if refused is not None:
        raise StoreError(refused[0], hint=refused[1])
    _rehearse(sources, serving, target, file, values)
    for room in rooms.values():
        say(f"{room.host}: {room.there} MB; {old.name} needs {room.old}, {target.name} {room.new}")
    given = {
        "hosts": list(serving.hosts),
        "model": dict(target.model),
        "before": dict(old.model),
        "build": target.build,
        "prove": wish.prove,
        "stop_first": wish.stop_first,
        "memory_mb": {host: room.second_mb for host, room in rooms.items()},
        "port": wish.port,
        "drain_seconds": wish.drain_seconds,
    }
    run = _play(PLAYBOOK, sources, {"switch": given})
    _tell_answers(run, say)
    if not run.successful:
        raise StoreError(
            f"{old.name} serves on; {target.name} was refused:\n{_reasons(run)}", hint=f"the run: {run.log}"
        )
    file.write(values)
    say(f"{target.name} is served; {file.path} says so")
    if wish.callers:
        _tell_callers(sources, serving, say)


def _rehearse(
    sources: Sequence[Path], serving: Serving, target: Target, file: ServingFile, values: Mapping[str, Any]
) -> None:
    """See before anything is touched that what will be written counts: another file may be stronger."""
    content = file.content()
    try:
        file.write(values)
        names, origins = served(sources, VARIABLE, serving.hosts)
    finally:
        file.restore(content)
    for host, name in names.items():
        if name != target.name:
            raise StoreError(
                f"{file.path} would not count: {host} would still be told to serve {name}",
                hint=f"{VARIABLE} is defined in {', '.join(origins)}; keep it in a file that serving.yml"
                " comes after, such as group_vars/all/models.yml",
            )


def _tell_callers(sources: Sequence[Path], serving: Serving, say: Say) -> None:
    steps = [("playbooks/inference.yml", ["--tags", "model_route"])] if serving.route else []
    # One host after the other, so that the others answer meanwhile.
    steps += [("playbooks/app.yml", ["--limit", host]) for host in serving.callers]
    for playbook, arguments in steps:
        run = run_playbook(playbook, sources, arguments=arguments)
        if not run.successful:
            raise StoreError(
                f"the model is served, but {playbook} {' '.join(arguments)} failed:\n{_reasons(run)}",
                hint="callers go on with the old name, which is answered too; `rackwright apply` ends it",
            )
    say("the app asks for it by its name" if serving.callers else "no host of the site asks it")


def _play(playbook: str, sources: Sequence[Path], variables: Mapping[str, Any]) -> Run:
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as given:
        json.dump(variables, given)
        given.flush()
        return run_playbook(playbook, sources, arguments=["-e", f"@{given.name}"])


def _tell_answers(run: Run, say: Say) -> None:
    for result in run.recap.results:
        for answer in result.result.get("answers") or ():
            verdict = "ok" if answer["ok"] else f"REFUSED: {answer['why']}"
            say(
                f"{result.host}: {answer['name']}: {answer['tokens']} tokens in {answer['seconds']:.2f} s,"
                f" {answer['tokens_per_second']:.1f} tokens/s: {verdict}"
            )


def _reasons(run: Run) -> str:
    told = dict.fromkeys(f"{result.host}: {result.message}" for result in run.recap.failed)
    return "\n".join(told) or f"the run ended as {run.status}"


def _build_of(model: Mapping[str, Any], variables: Mapping[str, Any]) -> Mapping[str, str] | None:
    """Return the build that a served model is of; None where a role brings its file."""
    path = str(model.get("path") or "")
    for each in variables.get(WANTED) or ():
        if f"/{each['model']}/{each.get('quantisation')}/" in path:
            return {"model": str(each["model"]), "quantisation": str(each["quantisation"])}
    return None


def _wanted(variables: Mapping[str, Any], *builds: Mapping[str, str] | None) -> list[dict[str, str]]:
    """Return what hosts are to have: what they had, and these builds."""
    wanted = [dict(each) for each in variables.get(WANTED) or ()]
    wanted += [dict(each) for each in builds if each is not None and dict(each) not in wanted]
    return wanted


def _now() -> str:
    return datetime.now(tz=UTC).isoformat(timespec="seconds")
