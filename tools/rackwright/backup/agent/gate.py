"""What one host's pgBackRest may ask of the other's: its remote half, of its own cluster alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

# Of a host with a cluster: the half that reads it for a backup.
OF_A_CLUSTER = re.compile(r"^(backup|check|stanza-create|stanza-upgrade|stanza-delete):(remote|local)$")
# Of the repository: the half that takes the log, and that gives a cluster's own backups back.
OF_THE_REPOSITORY = re.compile(
    r"^(archive-push|archive-get|restore|info|repo-ls|check):(remote|local|async)$"
)
# Of the repository, for who restores and has no log of its own to bring.
OF_A_GUEST = re.compile(r"^(archive-get|restore|info|repo-ls):(remote|local|async)$")
_OPTION = re.compile(r"^--(no-)?[a-z0-9-]+(=.*)?$")
# Where the repository is, how it is opened and what is run for it are the other host's to say.
_OTHERS = re.compile(r"^--(no-)?(repo\d*-|repo=\D|config|cmd|lock-path|log-path|spool|stanza|tls)")


# A file for each host onto which another's backup is restored, while that lasts: it holds the other's name.
GUESTS = Path("/etc/rackwright/backup/guests")


def guest_of(host: str, guests: Path = GUESTS) -> str:
    """Return whose backups a host may read beside its own; empty for nobody's."""
    path = guests / host
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""


def permitted(words: Sequence[str], commands: re.Pattern[str], stanza: str | None) -> bool:
    """Tell whether a command may be run.

    Args:
        words: What was asked, split.
        commands: `OF_A_CLUSTER` or `OF_THE_REPOSITORY`.
        stanza: The only cluster that it may be about; None for any.
    """
    if len(words) < 2 or words[0] != "pgbackrest" or not commands.match(words[-1]):  # noqa: PLR2004 - and a command
        return False
    options = list(words[1:-1])
    if stanza is not None:
        if options.count(f"--stanza={stanza}") != 1:
            return False
        options.remove(f"--stanza={stanza}")
    else:
        options = [option for option in options if not option.startswith("--stanza=")]
    return all(_OPTION.match(option) and not _OTHERS.match(option) for option in options)
