"""Asks a site's Prometheus, on the host that runs it: nobody else may."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rackwright.errors import RackwrightError
from rackwright.operations.runner import run_playbook

PLAYBOOK = "playbooks/measured.yml"
_TASK = "Ask Prometheus"


def measured(inventories: Sequence[Path], queries: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return Prometheus' answers by the queries' names, each `result` or `error`.

    Args:
        inventories: inventory sources.
        queries: as the module `prometheus_query` takes them.

    Raises:
        RackwrightError: the site has no Prometheus, or its host does not answer.
    """
    extra = json.dumps({"measured_queries": list(queries)})
    run = run_playbook(PLAYBOOK, inventories, arguments=["-e", extra])
    for result in run.recap.results:
        if result.task == _TASK and "answers" in result.result:
            answers: Mapping[str, Any] = result.result["answers"]
            return answers
    if run.successful:
        hint = "put a host into the group `monitoring`, then: rackwright apply (docs/observability.md)"
        raise RackwrightError("this site has no Prometheus", hint=hint)
    text = "; ".join(f"{result.host}: {result.message}" for result in run.recap.failed)
    raise RackwrightError(text or run.status, hint=f"the run's output is in {run.log}")
