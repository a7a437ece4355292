"""Models' files on a host, in the layout of the control node's store (tools/rackwright/models/store).

<root>/blobs/<sha256>                     content, once, whichever models and engines use it
<root>/models/<model>/<quantisation>.json what a build consists of, its licence among it
<root>/trees/<model>/<quantisation>/…     its files by their own names, hard links: what engines are given
<root>/partial/<sha256>                   what of a file has come so far
<root>/stamps/                            which content was found right, with what changes when it does
<root>/lock                               held by the one writer
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible.module_utils.rackwright.artifact_files import (
    Stamps,
    copy_hashed,
    existing_parent,
    make_directories,
)

# A sender whose last byte is older than this is taken to be gone: seconds.
LEASE = 15
_PAUSE = 0.5
_GIB = 2**30
_MODE = 0o444


class ModelError(Exception):
    """Something about models' files that an operator can act upon."""


class HostStore:
    """The directory. Methods that write are called under `writing()`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._stamps = Stamps(root / "stamps")

    def blob(self, sha256: str) -> Path:
        """Return where content is, or would be."""
        return self.root / "blobs" / sha256

    def partial(self, sha256: str) -> Path:
        """Return where a file is collected while it comes."""
        return self.root / "partial" / sha256

    def tree(self, build: dict[str, Any]) -> Path:
        """Return the directory that engines are given."""
        return self.root / "trees" / str(build["model"]) / str(build["quantisation"])

    def manifest(self, build: dict[str, Any]) -> Path:
        """Return the file that says what a build consists of."""
        return self.root / "models" / str(build["model"]) / f"{build['quantisation']}.json"

    @contextlib.contextmanager
    def writing(self, wait: float) -> Iterator[None]:
        """Hold the store's lock, which the kernel keeps: it ends with the process, also over NFS.

        Raises:
            ModelError: Another writer holds it, and still does after `wait` seconds.
        """
        make_directories(self.root)
        descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        until = time.monotonic() + wait
        try:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError as error:
                    if time.monotonic() >= until:
                        raise ModelError(
                            f"{self.root}: another process writes to it;"
                            " wait for it, or set models_wait_seconds"
                        ) from error
                    time.sleep(_PAUSE)
            yield
        finally:
            os.close(descriptor)

    def collected(self, sha256: str, size: int) -> int:
        """Return how many bytes of a file have come."""
        try:
            found = self.partial(sha256).stat().st_size
        except FileNotFoundError:
            return 0
        return found if found <= size else 0

    def whole(self, sha256: str, size: int, *, read: bool) -> bool:
        """Tell whether content is there and right.

        Args:
            sha256: Which.
            size: In bytes.
            read: Read it even where nothing suggests that anybody has touched it.
        """
        path = self.blob(sha256)
        try:
            if path.stat().st_size != size:
                return False
        except FileNotFoundError:
            return False
        if not read:
            return bool(self._stamps.checksum(path) == sha256)
        with path.open("rb") as stream:
            return bool(copy_hashed(stream, None) == sha256)

    def require_space(self, needed: int, reserve: int) -> None:
        """Refuse what would fill the file system, before any of it comes.

        Raises:
            ModelError: There is not enough room.
        """
        free = shutil.disk_usage(existing_parent(self.root / "x")).free
        if needed and needed + reserve > free:
            raise ModelError(
                f"{self.root} has {free / _GIB:.1f} GiB free: {needed / _GIB:.1f} GiB are to come, and"
                f" {reserve / _GIB:.1f} GiB have to stay free; nothing was fetched. Remove models that nobody"
                " asks for (models_prune), or put models_directory on a larger file system"
            )

    def claim(self, sha256: str, writer: str) -> str:
        """Note who sends a file, so that two runs do not send it at the same time; return who else does."""
        note = self.partial(sha256).with_suffix(".writer")
        with contextlib.suppress(OSError, ValueError):
            other = str(json.loads(note.read_text(encoding="utf-8")))
            touched = [path.stat().st_mtime for path in (note, self.partial(sha256)) if path.exists()]
            if other != writer and time.time() - max(touched) < LEASE:
                return other
        make_directories(note.parent)
        note.write_text(json.dumps(writer), encoding="utf-8")
        return ""

    def adopt(self, sha256: str, size: int) -> bool:
        """Make collected content the store's, if it is right; what is wrong is dropped and comes again."""
        path = self.partial(sha256)
        path.with_suffix(".writer").unlink(missing_ok=True)
        try:
            with path.open("rb+") as stream:
                right = path.stat().st_size == size and copy_hashed(stream, None) == sha256
                os.fsync(stream.fileno())
        except FileNotFoundError:
            return False
        if not right:
            path.unlink()
            return False
        path.chmod(_MODE)
        target = self.blob(sha256)
        make_directories(target.parent)
        path.replace(target)
        return True

    def recorded(self, build: dict[str, Any]) -> bool:
        """Tell whether a build is in place: its manifest, and its tree of links to the content."""
        try:
            if json.loads(self.manifest(build).read_text(encoding="utf-8")) != build:
                return False
            tree = self.tree(build)
            return all((tree / each["path"]).samefile(self.blob(each["sha256"])) for each in build["files"])
        except (OSError, ValueError):
            return False

    def record(self, build: dict[str, Any]) -> None:
        """Put a build in place; its manifest is written last."""
        tree = self.tree(build)
        new = tree.with_name(f".{tree.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        for each in build["files"]:
            target = new / each["path"]
            make_directories(target.parent)
            os.link(self.blob(each["sha256"]), target)
        shutil.rmtree(tree, ignore_errors=True)
        new.replace(tree)
        path = self.manifest(build)
        make_directories(path.parent)
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(build, indent=2) + "\n", encoding="utf-8")
        draft.replace(path)

    def remember(self, builds: list[dict[str, Any]]) -> None:
        """Note that the content of builds was found right; after linking, which changes a file's times."""
        for sha256 in {each["sha256"] for build in builds for each in build["files"]}:
            self._stamps.remember(self.blob(sha256), sha256)

    def held(self) -> list[dict[str, Any]]:
        """Return the manifests of all builds that are here."""
        found = []
        for path in sorted((self.root / "models").glob("*/*.json")):
            try:
                found.append(dict(json.loads(path.read_text(encoding="utf-8"))))
            except (OSError, ValueError) as error:
                raise ModelError(f"{path} cannot be read as a manifest; remove it and run again") from error
        return found

    def drop_others(self, builds: list[dict[str, Any]], *, dry: bool) -> list[str]:
        """Drop the builds that are not among those given, and their content; return their names."""
        kept = {(build["model"], build["quantisation"]) for build in builds}
        dropped = []
        for build in self.held():
            if (build["model"], build["quantisation"]) not in kept:
                dropped.append(f"{build['model']} {build['quantisation']}")
                if not dry:
                    # The manifest goes first: what is left after a crash is content that nothing names.
                    self.manifest(build).unlink()
                    shutil.rmtree(self.tree(build), ignore_errors=True)
        if not dry:
            used = {each["sha256"] for build in self.held() for each in build["files"]}
            for path in [*(self.root / "blobs").glob("*"), *(self.root / "partial").glob("*")]:
                if path.name.split(".")[0] not in used:
                    path.unlink()
        return dropped
