"""Lines of a site, as its log store has them, whichever that is."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rackwright.errors import RackwrightError
from rackwright.logs.search.question import Line, Question
from rackwright.operations.runner import run_playbook

PLAYBOOK = "playbooks/logs.yml"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_AGO = re.compile(r"^(\d+)([smhd])$")
# Lines may be on their way for so long before they are searched; whoever follows looks back as far.
_LATE = timedelta(minutes=2)


def moment(text: str, now: datetime) -> datetime:
    """Return the moment that `90s`, `2h`, `3d` (ago) or an ISO time means; one without a zone is in UTC.

    Raises:
        ValueError: It is neither.
    """
    if found := _AGO.match(text):
        return now - timedelta(**{_UNITS[found[2]]: int(found[1])})
    told = datetime.fromisoformat(text)
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def found(inventories: Sequence[Path], question: Question) -> tuple[list[Line], bool]:
    """Return lines in the order of their times, and whether there are more that are older.

    Raises:
        RackwrightError: The site has no log store, or it does not answer.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        # A file of ours alone: what is looked for may be a name or a number that is in no log otherwise.
        json.dump({"logs_question": question.told()}, file)
        file.flush()
        run = run_playbook(PLAYBOOK, inventories, arguments=["-e", f"@{file.name}"])
    for result in run.recap.results:
        if result.task == "Ask it" and result.result.get("stdout"):
            answer = json.loads(str(result.result["stdout"]))
            return answer["lines"], bool(answer["more"])
    told = "; ".join(f"{result.host}: {result.message}" for result in run.recap.failed)
    raise RackwrightError(
        told or "this site has no log store",
        hint="put a host of the zone ops into the group `log_store`, then: rackwright apply (docs/logs.md); "
        f"the run's output is in {run.log}",
    )


def follow(inventories: Sequence[Path], question: Question) -> Iterator[list[Line]]:
    """Yield what is new, again and again; each line once."""
    seen: dict[str, str] = {}
    while True:
        lines, _ = found(inventories, question)
        fresh = [line for line in lines if line["id"] not in seen]
        seen |= {line["id"]: line["time"] for line in fresh}
        yield fresh
        now = datetime.now(UTC)
        question = replace(question, since=max(question.since, now - _LATE))
        first = question.since.isoformat(timespec="microseconds").replace("+00:00", "Z")
        seen = {number: time for number, time in seen.items() if time >= first}
