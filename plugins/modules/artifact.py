"""Bring pinned files onto a host: the half that runs there."""

from __future__ import annotations

import grp
import hashlib
import json
import os
import pwd
import shutil
import ssl
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
---
module: artifact
short_description: Bring pinned files onto a host
description:
  - Sees to it that files are on the host with exactly the content that their SHA-256 names.
  - A file comes from a path on the control node, or from a URL that the host itself can reach (a mirror).
  - When all files are there and right, this is one remote call. A file of the control node is streamed over
    the connection; it never travels in the arguments of a module.
  - What does not have the expected checksum is refused, and what was there before stays.
  - The checksum of a file is remembered with its size, inode and times under O(state_dir), so that a model of
    many gigabytes is not read on every run. Any change of the file changes these and has it read again.
options:
  items:
    description: The files.
    type: list
    elements: dict
    required: true
    suboptions:
      dest:
        description: Absolute path on the host. Missing parent directories are made, mode 0755.
        type: path
        required: true
      source:
        description: Absolute path on the control node, or an http(s) URL.
        type: str
        required: true
      sha256:
        description: The checksum of the content, 64 hexadecimal digits.
        type: str
        required: true
      owner:
        description: Owner of the file.
        type: str
        default: root
      group:
        description: Group of the file.
        type: str
        default: root
      mode:
        description: Mode of the file, octal.
        type: str
        default: "0644"
      ca_file:
        description: The authority on the host that the URL is checked against, instead of the system's.
        type: path
      size:
        description: Bytes of the content; set by the action for files of the control node.
        type: int
  state_dir:
    description: Where checksums are remembered and uploads arrive.
    type: path
    default: /var/lib/rackwright/artifacts
  login_user:
    description: The user of the connection, who may write the upload; set by the action.
    type: str
  uploaded:
    description: True when the uploads are in place; set by the action.
    type: bool
    default: false
author: Rackwright
"""

EXAMPLES = r"""
- name: Bring the model
  artifact:
    items:
      - dest: /var/lib/rackwright/models/small.gguf
        source: https://mirror.example.internal/models/small.gguf
        sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
"""

RETURN = r"""
items:
  description: What was done for each file, in the given order.
  returned: always
  type: list
  elements: dict
  sample: [{dest: /var/lib/rackwright/models/small.gguf, changed: true, reason: "missing"}]
"""

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
        set_access(scratch, item, dry=False)
        scratch.replace(dest)
    except OSError as error:
        raise ArtifactError(f"{dest}: {error}") from error
    finally:
        if descriptor >= 0:
            os.close(descriptor)
        scratch.unlink(missing_ok=True)
    stamps.remember(dest, found)


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


def ensure(module: AnsibleModule, stamps: Stamps) -> dict[str, Any]:
    """Do what one call can do, and say which items wait for an upload."""
    state_dir = Path(module.params["state_dir"])
    results: list[dict[str, Any]] = []
    waiting: dict[str, str] = {}
    for index, item in enumerate(module.params["items"]):
        dest = Path(item["dest"])
        found = stamps.checksum(dest)
        right = found == item["sha256"].lower()
        reason = "" if right else ("missing" if found is None else f"another content, SHA-256 {found}")
        if right:
            if set_access(dest, item, dry=module.check_mode):
                reason = "owner, group or mode"
            if not module.check_mode:
                stamps.remember(dest, item["sha256"].lower())
        elif not is_url(item["source"]) and not module.params["uploaded"]:
            require_space(dest, 2 * (item["size"] or 0))
            waiting[str(index)] = str(upload_path(state_dir, item))
        elif not module.check_mode:
            place(item, upload_path(state_dir, item), stamps)
        results.append({"dest": str(dest), "changed": bool(reason), "reason": reason})
    if waiting and not module.check_mode:
        make_incoming(state_dir, module.params["login_user"])
    if module.params["uploaded"]:
        shutil.rmtree(state_dir / "incoming", ignore_errors=True)
    return {"changed": any(result["changed"] for result in results), "items": results, "waiting": waiting}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "items": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "dest": {"type": "path", "required": True},
                    "source": {"type": "str", "required": True},
                    "sha256": {"type": "str", "required": True},
                    "owner": {"type": "str", "default": "root"},
                    "group": {"type": "str", "default": "root"},
                    "mode": {"type": "str", "default": "0644"},
                    "ca_file": {"type": "path"},
                    "size": {"type": "int"},
                },
            },
            "state_dir": {"type": "path", "default": "/var/lib/rackwright/artifacts"},
            "login_user": {"type": "str"},
            "uploaded": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        result = ensure(module, Stamps(Path(module.params["state_dir"])))
    except (ArtifactError, OSError) as error:
        module.fail_json(msg=f"artifact: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
