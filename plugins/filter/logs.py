"""Files of the program that brings lines to the log store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import rackwright.logs

HOME = "/usr/local/lib/rackwright/python"
# The app's own rules: what is masked is said in one place.
MASKING = Path(__file__).parents[2] / "app/src/rackwright_app/masking.py"
# The programs, and the package and module that each is.
PROGRAMS = {
    "rackwright-log-send": "agent.main",
    "rackwright-elasticsearch": "agent.objects",
    "rackwright-kibana": "agent.kibana",
    "rackwright-log-write": "files.main",
    "rackwright-log-search": "search.main",
}
# What a package stands on beside the agent's.
NEEDS = {"search": ("files",)}


def log_agent(programs: Sequence[str]) -> list[dict[str, Any]]:
    """Return items of `managed_files` that lay some programs down, with their packages and the masking."""
    source = Path(rackwright.logs.__file__).parent
    own = {PROGRAMS[name].partition(".")[0] for name in programs}
    packages = sorted({"agent", *own, *(other for name in own for other in NEEDS.get(name, ()))})
    places = ["/usr/local/lib/rackwright", HOME]
    inner = [
        "rackwright",
        "rackwright/logs",
        *(f"rackwright/logs/{name}" for name in packages),
        "rackwright_app",
    ]
    places += [f"{HOME}/{name}" for name in inner]
    items: list[dict[str, Any]] = [{"dest": place, "state": "directory"} for place in places]
    items += [
        {"dest": f"{HOME}/{name}/__init__.py", "content": ""}
        for name in ("rackwright", "rackwright/logs", "rackwright_app")
    ]
    items += [
        {"dest": f"{HOME}/rackwright/logs/{name}/{path.name}", "src": str(path)}
        for name in packages
        for path in sorted((source / name).glob("*.py"))
    ]
    items.append({"dest": f"{HOME}/rackwright_app/masking.py", "src": str(MASKING)})
    items += [
        {
            "dest": f"/usr/local/sbin/{name}",
            "mode": "0755",
            "content": "#!/bin/sh\n"
            f"exec /usr/bin/python3 -IBS -c \"import sys; sys.path.insert(0, '{HOME}');"
            f' from rackwright.logs.{PROGRAMS[name]} import main; main(sys.argv[1:])" "$@"\n',
        }
        for name in programs
    ]
    return items


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them by name."""
        return {"log_agent": log_agent}
