"""Where the project's own files are."""

from __future__ import annotations

import os
from pathlib import Path

from rackwright.errors import RackwrightError

ROOT_VARIABLE = "RACKWRIGHT_ROOT"
CACHE_VARIABLE = "RACKWRIGHT_CACHE"


def repository_root() -> Path:
    """Return the directory that holds site.yml, roles/, group_vars/ and ansible.cfg.

    Looked for in this order: the environment variable RACKWRIGHT_ROOT, the checkout that this package was
    installed from, the working directory and its parents.

    Raises:
        RackwrightError: None of them is a checkout of the project.
    """
    named = os.environ.get(ROOT_VARIABLE)
    if named:
        root = Path(named).expanduser().resolve()
        if not _is_root(root):
            raise RackwrightError(
                f"{ROOT_VARIABLE}={named}: no ansible.cfg and group_vars/all/services.yml there",
                hint=f"let {ROOT_VARIABLE} name the directory of the checkout, or unset it",
            )
        return root
    package = Path(__file__).resolve().parents[3]
    for candidate in (package, Path.cwd(), *Path.cwd().parents):
        if _is_root(candidate):
            return candidate
    raise RackwrightError(
        "the project's files (ansible.cfg, group_vars/all/services.yml) were not found",
        hint=f"run this in the checkout, or let {ROOT_VARIABLE} name it",
    )


def _is_root(path: Path) -> bool:
    return (path / "ansible.cfg").is_file() and (path / "group_vars/all/services.yml").is_file()


def cache_directory(part: str = "") -> Path:
    """Return the cache's directory, or one inside it; made if it is missing.

    It is what RACKWRIGHT_CACHE names, else ~/.cache/rackwright, and may be removed at any time.
    """
    named = os.environ.get(CACHE_VARIABLE)
    root = Path(named).expanduser().resolve() if named else Path.home() / ".cache" / "rackwright"
    path = root / part
    path.mkdir(parents=True, exist_ok=True)
    return path
