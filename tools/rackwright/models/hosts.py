"""Asks a site's inference hosts what they hold, or to read it all again: runs playbooks/models_hosts.yml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rackwright.models.store.files import StoreError
from rackwright.operations.runner import run_playbook

PLAYBOOK = "playbooks/models_hosts.yml"


@dataclass(frozen=True)
class HostModels:
    """A host.

    Attributes:
        host: Inventory name.
        held: Manifests of the builds in its store.
        damaged: `model quantisation path` of the files that are, or were, not what they should be.
    """

    host: str
    held: list[Mapping[str, Any]]
    damaged: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def ask_hosts(sources: Sequence[Path], *, verify: bool = False, mend: bool = False) -> list[HostModels]:
    """Ask every inference host.

    Args:
        sources: Inventory sources.
        verify: Have it read all content.
        mend: Have damaged content brought again.

    Raises:
        StoreError: A host cannot be asked, or cannot be mended; says which and why.
    """
    words = [f"models_hosts_{name}=true" for name, on in (("verify", verify), ("mend", mend)) if on]
    arguments = [part for word in words for part in ("-e", word)]
    run = run_playbook(PLAYBOOK, sources, arguments=arguments)
    if not run.successful:
        reasons = "\n".join(f"{result.host}: {result.message}" for result in run.recap.failed)
        raise StoreError(reasons or f"the run ended as {run.status}", hint=f"the run: {run.log}")
    found = [
        HostModels(result.host, list(result.result["held"]), list(result.result.get("damaged") or ()))
        for result in run.recap.results
        if "held" in result.result
    ]
    return sorted(found, key=lambda entry: entry.host)
