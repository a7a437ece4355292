"""Where a site keeps its vault, and where this control node keeps the vault's password."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from rackwright.site.paths import repository_root
from rackwright.site.sources import strongest_directory

PASSWORD_FILE_VARIABLE = "RACKWRIGHT_VAULT_PASSWORD_FILE"  # noqa: S105 - the name of a variable
_DEFAULT_PASSWORD_FILE = ".vault-password"  # noqa: S105 - the name of a file
_VAULT = Path("group_vars/all/vault.yml")


def site_directory(sources: Sequence[Path]) -> Path:
    """Return the directory of the inventory that owns the site's secrets and its certificate authority.

    An inventory may be laid over another (`-i base -i overlay`) and Ansible lets the last source win, so
    it is the last directory that has a vault: one with wishes alone owns nothing, and would get a second
    authority. Without any vault it is where a new one would be made.

    Raises:
        RackwrightError: No source exists.
    """
    owners = [source for source in sources if source.is_dir() and (source / _VAULT).exists()]
    return owners[-1] if owners else strongest_directory(sources)


def vault_path(directory: Path) -> Path:
    """Return the path of the vault of the inventory at `directory`."""
    return directory / _VAULT


def password_path() -> Path:
    """Return the path of the vault password file of this control node; the file may not exist yet."""
    named = os.environ.get(PASSWORD_FILE_VARIABLE)
    return Path(named).expanduser().absolute() if named else repository_root() / _DEFAULT_PASSWORD_FILE


def specification_path() -> Path:
    """Return the path of the list of all secrets that a site needs."""
    return repository_root() / "group_vars/all/secrets.yml"
