"""After a switch: those who ask by the old name are told the new one, and what only served them goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rackwright.models.store.files import StoreError
from rackwright.models.switch.site import Serving, serving_of
from rackwright.models.switch.state import ServingFile
from rackwright.models.switch.ways import settled
from rackwright.operations.runner import run_playbook
from rackwright.site.sources import strongest_directory

Say = Callable[[str], None]
# Until no worker of the app knows the old name any more, answers that are being written included.
_REPLACED_SECONDS = 60
ENGINES = "playbooks/inference.yml"


def tell_callers(sources: Sequence[Path], route: bool, callers: Sequence[str], say: Say) -> None:
    """Give the route, then each host of the app in turn, the new name.

    Raises:
        StoreError: One could not be told; it goes on with the old name.
    """
    steps: list[tuple[str, list[str]]] = [("playbooks/model_route.yml", [])] if route else []
    # One host after the other, so that the others answer meanwhile.
    steps += [("playbooks/app.yml", ["--limit", host]) for host in callers]
    for playbook, arguments in steps:
        run = run_playbook(playbook, sources, arguments=arguments)
        if not run.successful:
            told = "\n".join(dict.fromkeys(f"{each.host}: {each.message}" for each in run.recap.failed))
            raise StoreError(
                f"the model is served, but {playbook} {' '.join(arguments)} failed:\n{told}",
                hint="callers go on with the old name, which is answered too; mend that, then"
                " `rackwright models switch --finish`",
            )
    say("the app asks for it by its name" if callers else "no host of the site asks it")


def settle(sources: Sequence[Path], serving: Serving, file: ServingFile, say: Say) -> None:
    """Take away what was kept for callers that asked by the old name.

    Raises:
        StoreError: A host could not be brought to it.
    """
    way, ours = serving.way, file.read()
    left = ours.get(way.variable)
    if left is None or settled(way, left) == left:
        return
    if serving.callers:
        # A reload returns at once, and the app's workers are replaced one after the other.
        time.sleep(_REPLACED_SECONDS)
    file.write({**ours, way.variable: settled(way, left)})
    run = run_playbook(ENGINES, sources, arguments=["--limit", ",".join(serving.hosts)])
    if not run.successful:
        told = run.recap.failed[0].message if run.recap.failed else run.status
        raise StoreError(
            f"the old model could not be taken away: {told}",
            hint=f"`rackwright apply` does it; the run: {run.log}",
        )
    say("the old model's worker is gone")


def finish(sources: Sequence[Path], engine: str | None, say: Say, *, callers: bool) -> None:
    """Do what a switch with --engines-only left undone, or one that was cut off after the engines.

    Args:
        sources: Inventory sources.
        engine: Whose hosts were switched; None for the only engine that the site has.
        say: What the operator is told.
        callers: Tell the callers, too; they may know it since `rackwright apply`.

    Raises:
        StoreError: Nothing was switched, or a host could not be brought to it.
    """
    serving, file = serving_of(sources, engine), ServingFile(strongest_directory(sources))
    if file.previous(serving.way.engine) is None:
        raise StoreError("nothing was switched", hint="`rackwright models switch MODEL` does")
    if callers:
        tell_callers(sources, serving.route, serving.callers, say)
    settle(sources, serving, file, say)
