"""Has the load made: on a host of the app for a site, on this machine for an address that is given."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rackwright.bench import inference_load
from rackwright.bench.inference import PROMPTS, Step, summarise
from rackwright.errors import RackwrightError

PLAYBOOK = "playbooks/bench_inference.yml"
# What an answer that has begun when the time is over may take.
GRACE_SECONDS = 60
_PROGRAM = Path(inference_load.__file__)

Told = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """Who asked whom, and what was seen."""

    url: str
    target: str
    asked_from: str
    model: str
    steps: tuple[Step, ...]


def ask_site(
    inventories: Sequence[Path], steps: Sequence[int], *, seconds: int, tokens: int, model: str, tell: Told
) -> Asked:
    """Ask a site's route, or its first engine where it has none, from the first host of the app.

    Args:
        inventories: Inventory sources.
        steps: Numbers of users, one measurement for each.
        seconds: Length of each.
        tokens: Longest answer.
        model: Which model; empty for the site's first.
        tell: Given a word on every step that begins or ends.

    Raises:
        RackwrightError: The load could not be made.
    """
    # Imported here: it takes longer than `--help` may.
    from rackwright.operations.runner import run_playbook  # noqa: PLC0415

    seen: list[Step] = []
    about: dict[str, str] = {}

    def watch(event: Mapping[str, Any], _recap: object) -> None:
        data = event.get("event_data") or {}
        result = data.get("res") or {}
        if event.get("event") == "runner_on_ok" and isinstance(result.get("msg"), dict):
            about.update({"host": str(data.get("host")), **result["msg"]})
            tell(f"{about['host']} asks {about['url']} for {about['model']}")
        if event.get("event") == "runner_item_on_ok" and "requests" in result:
            seen.append(summarise(int(result["users"]), result["requests"]))
            tell(f"{seen[-1].users} of {steps[-1]} users: done")

    wishes = {
        "steps": list(steps),
        "seconds": seconds,
        "grace": GRACE_SECONDS,
        "tokens": tokens,
        "model": model,
        "program": str(_PROGRAM),
        "prompts": list(PROMPTS),
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump({"bench": wishes}, file)
        file.flush()
        run = run_playbook(PLAYBOOK, inventories, on_event=watch, arguments=["-e", f"@{file.name}"])
    if not run.successful or len(seen) != len(steps):
        why = "; ".join(result.message for result in run.recap.failed) or run.status
        raise RackwrightError(f"the load was not made: {why}", hint=f"the run's output is in {run.log}")
    return Asked(about["url"], about["target"], about["host"], about["model"], tuple(seen))


def ask_url(
    url: str,
    steps: Sequence[int],
    *,
    key: str,
    ca: str,
    seconds: int,
    tokens: int,
    model: str,
    tell: Told,
) -> Asked:
    """Ask an address from this machine.

    Args:
        url: Base address up to and with the version.
        steps: Numbers of users, one measurement for each.
        key: Bearer key, empty for none.
        ca: PEM of the authority, empty for what this machine trusts.
        seconds: Length of each measurement.
        tokens: Longest answer.
        model: Which model.
        tell: Given a word on every step.

    Raises:
        RackwrightError: The load could not be made.
    """
    seen = []
    for users in steps:
        tell(f"{users} of {steps[-1]} users")
        settings = inference_load.Settings(
            url=url.rstrip("/"),
            key=key,
            ca=ca,
            model=model,
            users=users,
            seconds=seconds,
            grace=GRACE_SECONDS,
            silence=GRACE_SECONDS,
            tokens=tokens,
            prompts=list(PROMPTS),
        )
        try:
            done = subprocess.run(
                [sys.executable, "-I", str(_PROGRAM)],
                input=json.dumps(settings),
                capture_output=True,
                text=True,
                check=False,
                timeout=seconds + GRACE_SECONDS + 60,
            )
        except subprocess.TimeoutExpired as error:
            raise RackwrightError("the load did not end in time and was ended") from error
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no output"])[-1]
            raise RackwrightError(f"the load program ended with {done.returncode}: {last}")
        seen.append(summarise(users, json.loads(done.stdout)))
    return Asked(url, "url", "this machine", model, tuple(seen))
