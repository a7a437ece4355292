"""The files of a container service on its host."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class File:
    """A file that the service needs on its host."""

    path: Path
    content: str
    mode: int
    uid: int = 0
    gid: int = 0

    def is_right(self) -> bool:
        """Tell whether the file is there with this content, owner and mode."""
        try:
            status = self.path.stat()
            content = self.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return False
        access = (status.st_uid, status.st_gid, status.st_mode & 0o7777)
        return content == self.content and access == (self.uid, self.gid, self.mode)

    def write(self) -> None:
        """Put the file in place in one step; it is never readable with another owner or mode."""
        descriptor, name = tempfile.mkstemp(prefix=".new-", dir=self.path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as writer:
                writer.write(self.content)
                writer.flush()
                os.fsync(writer.fileno())
            os.chown(name, self.uid, self.gid)
            Path(name).chmod(self.mode)
            Path(name).replace(self.path)
        finally:
            Path(name).unlink(missing_ok=True)


def env_file(values: dict[str, str]) -> str:
    """Return an env file in which every value stands for itself, whatever characters it has."""
    lines = []
    for key, value in sorted(values.items()):
        text = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("\n", "\\n")
        lines.append(f'{key}="{text}"\n')
    return "".join(lines)


def wanted_files(params: dict[str, Any]) -> list[File]:
    """List the files of a service, the compose file last."""
    directory = Path(params["directory"])
    uid, gid = (int(part) for part in params["secret_owner"].split(":"))
    files = [
        File(directory / "secrets" / name, str(content), 0o400, uid, gid)
        for name, content in sorted(params["secrets"].items())
    ]
    if params["secret_environment"]:
        files.append(File(directory / "secret.env", env_file(params["secret_environment"]), 0o600))
    return [*files, File(directory / "compose.yaml", params["compose"], 0o600)]


def stale_files(params: dict[str, Any]) -> list[Path]:
    """List the files of an earlier definition that this one has no use for."""
    directory = Path(params["directory"])
    wanted = {file.path for file in wanted_files(params)}
    candidates = [directory / "secret.env", *directory.glob("secrets/*"), *directory.glob("**/.new-*")]
    return [path for path in candidates if path.exists() and path not in wanted]


def write_files(params: dict[str, Any]) -> None:
    """Bring the directory of a service to what its definition says. Only root may look into it."""
    directory = Path(params["directory"])
    for path, mode in ((directory.parent, 0o755), (directory, 0o700), (directory / "secrets", 0o700)):
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
    for file in wanted_files(params):
        if not file.is_right():
            file.write()
    for path in stale_files(params):
        path.unlink()
