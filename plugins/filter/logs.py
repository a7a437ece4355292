"""Files of the program that brings lines to the log store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import rackwright.logs.agent

HOME = "/usr/local/lib/rackwright/python"
# The app's own rules: what is masked is said in one place.
MASKING = Path(__file__).parents[2] / "app/src/rackwright_app/masking.py"
# The programs, and the module of the package that each is.
PROGRAMS = {
    "rackwright-log-send": "main",
    "rackwright-elasticsearch": "objects",
    "rackwright-kibana": "kibana",
}


def log_agent(programs: Sequence[str]) -> list[dict[str, Any]]:
    """Return items of `managed_files` that lay the package, the rules of masking and some programs down."""
    source = Path(rackwright.logs.agent.__file__).parent
    package = f"{HOME}/rackwright/logs/agent"
    places = ["/usr/local/lib/rackwright", HOME]
    places += [
        f"{HOME}/{name}"
        for name in ("rackwright", "rackwright/logs", "rackwright/logs/agent", "rackwright_app")
    ]
    items: list[dict[str, Any]] = [{"dest": place, "state": "directory"} for place in places]
    items += [
        {"dest": f"{HOME}/{name}/__init__.py", "content": ""}
        for name in ("rackwright", "rackwright/logs", "rackwright_app")
    ]
    items += [{"dest": f"{package}/{path.name}", "src": str(path)} for path in sorted(source.glob("*.py"))]
    items.append({"dest": f"{HOME}/rackwright_app/masking.py", "src": str(MASKING)})
    items += [
        {
            "dest": f"/usr/local/sbin/{name}",
            "mode": "0755",
            "content": "#!/bin/sh\n"
            f"exec /usr/bin/python3 -IBS -c \"import sys; sys.path.insert(0, '{HOME}');"
            f' from rackwright.logs.agent.{PROGRAMS[name]} import main; main(sys.argv[1:])" "$@"\n',
        }
        for name in programs
    ]
    return items


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them by name."""
        return {"log_agent": log_agent}
