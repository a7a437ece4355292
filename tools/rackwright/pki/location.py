"""Where a site's certificate authority lives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rackwright.secrets.location import site_directory


def pki_directory(sources: Sequence[Path]) -> Path:
    """Return the directory of the CA of the inventory: `pki` beside the inventory that owns the vault.

    The key is encrypted by a secret of that vault, so the two always belong together.

    Raises:
        RackwrightError: No source exists.
    """
    return site_directory(sources) / "pki"
