"""What the control node may believe of a host without asking it again (docs/blocks.md, "Verified state").

A host says once in a run, with its facts, which of its records nobody has touched since. That is believed
until something of this run may have changed the host, and for a few minutes at most.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

from rackwright.remote.foreseen import this_run

FACT = "rackwright_state"
# Set to false, every block asks its host.
VARIABLE = "rackwright_trust_state"
# For how long a host's word counts, in seconds.
LASTS = 300.0


class HostNeededError(BaseException):
    """A task cannot be decided on the control node.

    No `Exception`: on its way nobody may take it for a failure of the task.
    """


class _Run:
    """What this run has done so far; every worker is forked with it."""

    def __init__(self) -> None:
        self.heard = False
        self.everything = False
        self.hosts: set[str] = set()
        self.relied: dict[str, set[str]] = {}


_run = _Run()


def hear() -> None:
    """Begin: from now on all that runs is heard of. Without that nothing is believed."""
    _run.__init__()  # type: ignore[misc]
    _run.heard = True


def doubt(host: str | None = None) -> None:
    """Believe a host, or all of them, nothing that was said before."""
    if host is None:
        _run.everything = True
    else:
        _run.hosts.add(host)


def wanted(variables: Mapping[str, Any] | None) -> bool:
    """Tell whether a host is to be asked for what it has verified."""
    return _run.heard and str((variables or {}).get(VARIABLE, True)).lower() not in (
        "false",
        "no",
        "0",
        "off",
    )


def stamped(result: dict[str, Any]) -> dict[str, Any]:
    """Note in the facts of a host when, and in which run, they were true."""
    facts = result.get("ansible_facts")
    if isinstance(facts, dict) and isinstance(facts.get(FACT), dict):
        facts[FACT] |= {"run": this_run(), "at": time.monotonic()}
    return result


def believed(variables: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what a host has verified, by digest; nothing when it may be otherwise by now."""
    state = _state(variables)
    host = str((variables or {}).get("inventory_hostname", ""))
    if _run.everything or host in _run.hosts or not 0 <= time.monotonic() - state.get("at", -LASTS) <= LASTS:
        return {}
    return dict(json.loads(state.get("verified") or "{}"))


def rely(host: str, word: str) -> None:
    """Note that a host's word was taken for something."""
    _run.relied.setdefault(host, set()).add(word)


def relied_upon(host: str) -> set[str]:
    """Return all that a host was taken at its word for in this run."""
    return set(_run.relied.get(host, ()))


def vouched(facts: Mapping[str, Any], host: str) -> set[str]:
    """Return the digests of what a host has verified, by its facts."""
    return set(believed({"ansible_facts": facts, "inventory_hostname": host}))


def quiet() -> bool:
    """Tell whether nothing in this run may have changed any host so far."""
    return _run.heard and not _run.everything and not _run.hosts


def digest(variables: Mapping[str, Any] | None, *parts: str) -> str:
    """Return the digest of a call's input under the host's salt; empty when there is no salt.

    Args:
        variables: The variables of the task.
        parts: All that decides the outcome beside the host itself.
    """
    salt = str(_state(variables).get("salt") or "")
    if not salt:
        return ""
    return hmac.new(salt.encode(), json.dumps(parts).encode(), hashlib.sha256).hexdigest()


def _state(variables: Mapping[str, Any] | None) -> dict[str, Any]:
    state = ((variables or {}).get("ansible_facts") or {}).get(FACT) or {}
    # A fact cache keeps what a host said in an earlier run.
    return dict(state) if _run.heard and state.get("run") == this_run() else {}
