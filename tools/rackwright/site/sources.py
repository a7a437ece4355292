"""Which of a site's inventory sources is meant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rackwright.errors import RackwrightError


def strongest_directory(sources: Sequence[Path]) -> Path:
    """Return where a new file of the site is written: the last source that is a directory, since it wins.

    When all sources are files, it is the directory of the last one: Ansible reads the group_vars beside a
    file, too.

    Raises:
        RackwrightError: No source exists.
    """
    existing = [source for source in sources if source.exists()]
    if not existing:
        named = ", ".join(str(source) for source in sources) or "none"
        raise RackwrightError(
            f"no inventory directory among the sources: {named}",
            hint="name the site's inventory: -i inventories/<site>",
        )
    directories = [source for source in existing if source.is_dir()]
    return directories[-1] if directories else existing[-1].parent
