"""A throw-away repository of pgBackRest, configured by the role's own template."""

from __future__ import annotations

import json
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

import jinja2
import yaml

from rackwright.bench.clusters import as_user, own
from rackwright.errors import RackwrightError
from rackwright.site.paths import repository_root

STANZA = "bench"
SECONDS = 3600.0
_ROLE = "roles/backup_repository"
_TEMPLATE = "templates/etc/pgbackrest/pgbackrest.conf.j2"
# Which pgBackRest knows blocks: those before compare whole files.
_BLOCKS_SINCE = (2, 46)


@dataclass(frozen=True)
class Repository:
    """The repository.

    Attributes:
        directory: holds it, and its configuration.
    """

    directory: Path

    @property
    def _base(self) -> list[str]:
        return [
            "pgbackrest",
            f"--config={self.directory}/pgbackrest.conf",
            f"--stanza={STANZA}",
            f"--lock-path={self.directory}/lock",
            "--log-level-file=off",
        ]

    @property
    def archive_command(self) -> str:
        """What takes a segment of the log."""
        return " ".join([*self._base, "archive-push", "%p"])

    def run(self, command: str, *options: str) -> str:
        """Run a command of pgBackRest.

        Raises:
            RackwrightError: It failed.
        """
        return as_user([*self._base, *options, command], self.directory, SECONDS)

    def size_of_full(self) -> int:
        """Return the bytes that the first full backup takes."""
        (stanza,) = json.loads(self.run("info", "--output=json"))
        return int(stanza["backup"][0]["info"]["repository"]["delta"])


def make_repository(root: Path, cluster: Path, processes: int) -> Repository:
    """Make the directory and the configuration.

    Args:
        root: where.
        cluster: directory of the cluster: its socket, and `data`.
        processes: how many compress at a time.

    Raises:
        RackwrightError: pgBackRest is missing.
    """
    if shutil.which("pgbackrest") is None:
        raise RackwrightError(
            "pgBackRest is not installed", hint="install Debian's package pgbackrest (`make packages` does)"
        )
    directory = root / "repository"
    directory.mkdir(mode=0o700)
    version = as_user(["pgbackrest", "version"], root).split()[-1]
    known = tuple(int(part) for part in version.split(".")[:2])
    defaults = yaml.safe_load((repository_root() / _ROLE / "defaults/main.yml").read_text(encoding="utf-8"))
    variables = {
        **defaults,
        "ansible_managed": "benchmark",
        "backup_repository_path": str(directory),
        "backup_repository_cipher_passphrase": secrets.token_hex(32),
        "backup_repository_processes": processes,
        "__backup_repository_clusters": [],
        "__backup_repository_blocks": known >= _BLOCKS_SINCE,
    }
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, autoescape=False)  # noqa: S701 - a configuration file
    environment.filters["comment"] = lambda text: f"# {text}"
    template = (repository_root() / _ROLE / _TEMPLATE).read_text(encoding="utf-8")
    stanza = f"\n[{STANZA}]\npg1-path={cluster}/data\npg1-socket-path={cluster}\npg1-user=postgres\n"
    path = directory / "pgbackrest.conf"
    path.write_text(environment.from_string(template).render(variables) + stanza, encoding="utf-8")
    path.chmod(0o600)
    own(directory)
    own(path)
    return Repository(directory)
