"""A bundle on the host that serves it: which contents are there, which came, and the tree of their names."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils.rackwright.artifact_files import make_directories

BLOCK = 1 << 20


class TreeError(Exception):
    """The bundle cannot be put together; the text says what is wrong with which file."""


class Bundle:
    """A bundle's directory: `objects` by SHA-256, `incoming` on their way, `tree` with the names."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.incoming = root / "incoming"
        self.tree = root / "tree"
        self.stamp = root / "current.json"

    def path(self, sha256: str) -> Path:
        """Return where a content lies."""
        return self.root / "objects" / sha256[:2] / sha256

    def current(self) -> str:
        """Return the digest of the manifest whose tree is there; empty for none."""
        try:
            return (
                str(json.loads(self.stamp.read_text(encoding="ascii"))["digest"])
                if self.tree.is_dir()
                else ""
            )
        except (OSError, ValueError, KeyError):
            return ""

    def missing(self, files: list[dict[str, Any]]) -> dict[str, int]:
        """Return the contents that are not there, by SHA-256, with their sizes."""
        found: dict[str, int] = {}
        for each in files:
            path = self.path(each["sha256"])
            if not path.is_file() or path.stat().st_size != each["size"]:
                found[each["sha256"]] = each["size"]
        return found

    def take_from(self, medium: Path, missing: dict[str, int]) -> None:
        """Copy what a medium on this host has; what is damaged there is left for the connection."""
        for sha256 in list(missing):
            source = medium / "objects" / sha256[:2] / sha256
            if source.is_file() and self._copied(source, sha256):
                del missing[sha256]

    def _copied(self, source: Path, sha256: str) -> bool:
        make_directories(self.incoming)
        scratch = self.incoming / sha256
        digest = hashlib.sha256()
        with source.open("rb") as reader, scratch.open("wb") as writer:
            while block := reader.read(BLOCK):
                digest.update(block)
                writer.write(block)
        if digest.hexdigest() != sha256:
            scratch.unlink()
            return False
        self._place(scratch, sha256)
        return True

    def arrived(self, missing: dict[str, int]) -> dict[str, int]:
        """Put what has come whole into its place; return what of it is still on its way: bytes so far."""
        partly: dict[str, int] = {}
        for sha256, size in missing.items():
            scratch = self.incoming / sha256
            there = scratch.stat().st_size if scratch.is_file() else 0
            if there == size and scratch.is_file():
                if sha256_of(scratch) == sha256:
                    self._place(scratch, sha256)
                    continue
                scratch.unlink()
                there = 0
            partly[sha256] = there
        return partly

    def _place(self, scratch: Path, sha256: str) -> None:
        target = self.path(sha256)
        make_directories(target.parent)
        scratch.chmod(0o644)
        os.chown(scratch, 0, 0)
        # Who asks whether a name has changed is answered by this: a new content is new from when it came.
        os.utime(scratch)
        scratch.replace(target)

    def link(self, files: list[dict[str, Any]], signatures: dict[str, str], digest: str) -> None:
        """Make the tree of names anew beside the old one, and put it in its place.

        Raises:
            TreeError: A content is not there.
        """
        draft = self.root / ".tree.new"
        shutil.rmtree(draft, ignore_errors=True)
        for each in files:
            name = draft / each["path"]
            make_directories(name.parent)
            try:
                os.link(self.path(each["sha256"]), name)
            except OSError as error:
                raise TreeError(f"{each['path']}: {error}") from error
        for path, text in signatures.items():
            (draft / path).write_text(text, encoding="ascii")
            (draft / path).chmod(0o644)
        old = self.root / ".tree.old"
        shutil.rmtree(old, ignore_errors=True)
        if self.tree.is_dir():
            self.tree.replace(old)
        draft.replace(self.tree)
        shutil.rmtree(old, ignore_errors=True)
        shutil.rmtree(self.incoming, ignore_errors=True)
        self.stamp.write_text(json.dumps({"digest": digest}), encoding="ascii")

    def prune(self, files: list[dict[str, Any]]) -> int:
        """Remove contents that no name stands for; return how many went."""
        wanted = {each["sha256"] for each in files}
        gone = [path for path in (self.root / "objects").glob("??/*") if path.name not in wanted]
        for path in gone:
            path.unlink()
        return len(gone)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal; a block at a time."""
    digest = hashlib.sha256()
    with path.open("rb") as reader:
        while block := reader.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
