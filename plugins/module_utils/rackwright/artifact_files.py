"""Brings one artefact to its place on a host: space, source, checksum, access, atomic rename."""

from __future__ import annotations

import grp
import hashlib
import json
import os
import pwd
import shutil
import ssl
import tarfile
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Any

BLOCK = 1 << 20
TIMEOUT_SECONDS = 60


class ArtifactError(Exception):
    """A file cannot be brought; the text says which and why."""


def is_url(source: str) -> bool:
    """Tell whether the host itself fetches the source."""
    return source.startswith(("http://", "https://"))


def copy_hashed(reader: IO[bytes], writer: IO[bytes] | None) -> str:
    """Read a stream to its end, optionally writing it elsewhere, and return its SHA-256 in hexadecimal."""
    digest = hashlib.sha256()
    while block := reader.read(BLOCK):
        digest.update(block)
        if writer is not None:
            writer.write(block)
    return digest.hexdigest()


class Stamps:
    """Remembers the checksum of files together with what changes whenever their content does."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def _stamp(self, dest: Path) -> Path:
        return self.directory / (hashlib.sha256(str(dest).encode()).hexdigest()[:32] + ".json")

    @staticmethod
    def _identity(dest: Path) -> list[int]:
        status = dest.stat()
        return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]

    def checksum(self, dest: Path) -> str | None:
        """Return the SHA-256 of a file, from memory where that is certain; None when there is no file."""
        if not dest.is_file():
            return None
        try:
            known = json.loads(self._stamp(dest).read_text())
            if known["identity"] == self._identity(dest):
                return str(known["sha256"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # no memory, or one that cannot be read: the file itself is asked
        with dest.open("rb") as reader:
            return copy_hashed(reader, None)

    def remember(self, dest: Path, sha256: str) -> None:
        """Write down the checksum that was just established."""
        content = json.dumps({"dest": str(dest), "identity": self._identity(dest), "sha256": sha256})
        stamp = self._stamp(dest)
        try:
            if stamp.read_text() == content:
                return
        except OSError:
            pass
        make_directories(self.directory)
        scratch = stamp.with_suffix(".new")
        scratch.write_text(content)
        scratch.replace(stamp)


def set_access(path: Path, item: dict[str, Any], *, dry: bool) -> bool:
    """Give a file its owner, group and mode; tell whether something was (or would be) changed."""
    status = path.stat()
    try:
        uid, gid = pwd.getpwnam(item["owner"]).pw_uid, grp.getgrnam(item["group"]).gr_gid
    except KeyError as error:
        if dry:
            return True  # an earlier task of the real run makes the user
        message = f"{path}: {error.args[0]}: make the user and the group before the artefact"
        raise ArtifactError(message) from error
    mode = int(item["mode"], 8)
    changed = (status.st_uid, status.st_gid, status.st_mode & 0o7777) != (uid, gid, mode)
    if changed and not dry:
        os.chown(path, uid, gid)
        path.chmod(mode)
    return changed


def make_directories(path: Path) -> None:
    """Make a directory and its missing parents, passable for everybody whatever the umask is."""
    missing = [directory for directory in (path, *path.parents) if not directory.is_dir()]
    for directory in reversed(missing):
        directory.mkdir(exist_ok=True)
        directory.chmod(0o755)


def existing_parent(path: Path) -> Path:
    """Return the nearest directory above a path that exists."""
    return next(parent for parent in path.parents if parent.is_dir())


def require_space(dest: Path, size: int) -> None:
    """Refuse a file that the file system cannot hold before any of it is sent."""
    free = shutil.disk_usage(existing_parent(dest)).free
    if size > free:
        raise ArtifactError(
            f"{dest}: {size // 2**20} MiB are needed on its file system, {free // 2**20} MiB are free; "
            "free some space or put the file on another disk"
        )


def open_source(item: dict[str, Any], upload: Path) -> IO[bytes]:
    """Open the stream that an item's content comes from.

    Raises:
        ArtifactError: The URL does not answer with the file, or does so too large for the disk.
    """
    source = str(item["source"])
    if not is_url(source):
        return os.fdopen(os.open(upload, os.O_RDONLY | os.O_NOFOLLOW), "rb")
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if source.startswith("https://"):
        handlers.append(
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=item["ca_file"]))
        )
    try:
        stream = urllib.request.build_opener(*handlers).open(source, timeout=TIMEOUT_SECONDS)
    except (urllib.error.URLError, OSError) as error:
        message = f"{item['dest']}: {source} does not give the file: {error}"
        raise ArtifactError(message) from error
    require_space(Path(item["dest"]), int(stream.headers.get("Content-Length") or 0))
    body: IO[bytes] = stream
    return body


def place(item: dict[str, Any], upload: Path, stamps: Stamps) -> None:
    """Put the content in place in one step, after its checksum was found right.

    Raises:
        ArtifactError: The content is not what was asked for; the old file is untouched.
    """
    dest = Path(item["dest"])
    make_directories(dest.parent)
    descriptor, name = tempfile.mkstemp(prefix=f".{dest.name}.", dir=dest.parent)
    scratch = Path(name)
    try:
        with open_source(item, upload) as reader, os.fdopen(descriptor, "wb") as writer:
            descriptor = -1
            found = copy_hashed(reader, writer)
            writer.flush()
            os.fsync(writer.fileno())
        if found != item["sha256"].lower():
            raise ArtifactError(
                f"{dest}: {item['source']} has SHA-256 {found}, expected {item['sha256']}; "
                "nothing was replaced. Get the right file, or correct the checksum if this content is meant"
            )
        if item.get("member"):
            take_member(scratch, item)
        set_access(scratch, item, dry=False)
        scratch.replace(dest)
    except OSError as error:
        raise ArtifactError(f"{dest}: {error}") from error
    finally:
        if descriptor >= 0:
            os.close(descriptor)
        scratch.unlink(missing_ok=True)
    stamps.remember(dest, found)


def take_member(archive: Path, item: dict[str, Any]) -> None:
    """Put one file of an archive in the archive's place; it has been checked as a whole.

    Raises:
        ArtifactError: It is no archive, or has no such file.
    """
    taken = archive.with_name(f"{archive.name}.member")
    try:
        with (
            tarfile.open(archive) as opened,
            _member(opened, item["member"]) as content,
            taken.open("xb") as writer,
        ):
            shutil.copyfileobj(content, writer, BLOCK)
            writer.flush()
            os.fsync(writer.fileno())
        taken.replace(archive)
    except (tarfile.TarError, KeyError, EOFError) as error:
        message = f"{item['dest']}: {item['source']} is no archive with a file {item['member']!r} ({error})"
        raise ArtifactError(message) from error
    finally:
        taken.unlink(missing_ok=True)


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    content = archive.extractfile(name)
    if content is None:
        raise KeyError(name)
    return content


def upload_path(state_dir: Path, item: dict[str, Any]) -> Path:
    """Return where the content of an item arrives; the same on every run, so nothing piles up."""
    return state_dir / "incoming" / str(item["sha256"]).lower()


def make_incoming(state_dir: Path, login_user: str | None) -> None:
    """Make the directory that the user of the connection may write into, and nobody else may look into."""
    incoming = state_dir / "incoming"
    make_directories(incoming)
    # The user of the connection must pass through, not list.
    state_dir.chmod(0o711)
    if "SUDO_UID" in os.environ:
        uid = int(os.environ["SUDO_UID"])
    elif login_user:
        uid = pwd.getpwnam(login_user).pw_uid
    else:
        uid = os.geteuid()
    os.chown(incoming, uid, -1)
    incoming.chmod(0o700)
