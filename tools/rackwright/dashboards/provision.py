"""What Grafana is given on disk: each dashboard as a file, ours and the site's own, and where they belong."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from rackwright.dashboards.boards import BOARDS
from rackwright.dashboards.model import Have, Rendered, reduced
from rackwright.dashboards.own import own
from rackwright.dashboards.promql import broken
from rackwright.dashboards.render import rendered
from rackwright.errors import RackwrightError

OURS, THEIRS = "rackwright", "site"


@dataclass(frozen=True)
class Provisioned:
    """One file: the folder (`rackwright` or `site`), its name, and what is in it."""

    folder: str
    name: str
    content: str = field(repr=False)


def provisioned(
    services: Collection[str], *, gpu: bool, log_store: str = "", folder: Path | None = None
) -> list[Provisioned]:
    """Return all files of a site's dashboards.

    Args:
        services: names of the catalogue's services that run on any host of the site.
        gpu: whether a host has a GPU.
        log_store: see `render.rendered`.
        folder: where the site has dashboards of its own.

    Raises:
        RackwrightError: a query is no PromQL, or a file of the site's no dashboard.
    """
    have = Have(frozenset(services), gpu)
    boards = [kept for board in BOARDS if (kept := reduced(board, have)) is not None]
    wrong = [sentence for board in boards for sentence in broken(board)]
    if wrong:
        raise RackwrightError("\n".join(wrong), hint="tools/rackwright/dashboards/boards has the queries")
    found = [_file(OURS, rendered(board, log_store)) for board in boards]
    return found + [_file(THEIRS, mine) for mine in (own(folder) if folder else [])]


def _file(folder: str, board: Rendered) -> Provisioned:
    text = json.dumps(board.content, indent=1, ensure_ascii=False, sort_keys=True)
    return Provisioned(folder, f"{board.uid}.json", text + "\n")
