"""Where models' files are, and how they get there and leave.

<root>/blobs/<sha256>                     content, once, whichever models and engines use it; read-only
<root>/models/<model>/<quantisation>.json what a build consists of
<root>/trees/<model>/<quantisation>/…     its files by their own names, hard links: what engines are given
<root>/partial/<checksum>                 what of a file has come so far
<root>/lock                               held by the one writer
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from rackwright.models.store.files import Checksum, Manifest, StoreError, sha256_of

# Left free beside the files: a full file system stops more than a download.
RESERVE = 2**30
_READ_ONLY = 0o444


class Store:
    """A directory with models' files. Methods that write are called under `one_writer(store.lock)`."""

    def __init__(self, root: Path, reserve: int = RESERVE) -> None:
        self.root = root
        self.reserve = reserve
        self.lock = root / "lock"

    def blob(self, sha256: str) -> Path:
        """Return where content is, or would be."""
        return self.root / "blobs" / sha256

    def partial(self, checksum: Checksum) -> Path:
        """Return where a file is collected while it comes."""
        return self.root / "partial" / f"{checksum.kind}-{checksum.value}"

    def tree(self, model: str, quantisation: str) -> Path:
        """Return the directory that an engine is given."""
        return self.root / "trees" / model / quantisation

    def has(self, sha256: str, size: int) -> bool:
        """Tell whether content is there in full; `verify` also reads it."""
        try:
            return self.blob(sha256).stat().st_size == size
        except FileNotFoundError:
            return False

    def manifests(self) -> Iterator[Manifest]:
        """Yield what is in the store.

        Raises:
            StoreError: A manifest cannot be read.
        """
        for path in sorted((self.root / "models").glob("*/*.json")):
            yield self._read(path)

    def manifest(self, model: str, quantisation: str) -> Manifest | None:
        """Return one manifest; None where the build is not in the store."""
        path = self._manifest_path(model, quantisation)
        return self._read(path) if path.is_file() else None

    def check_space(self, needed: int) -> None:
        """Refuse what would fill the file system.

        Args:
            needed: Bytes that are still to come.

        Raises:
            StoreError: There is not enough room.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.root).free
        if needed + self.reserve > free:
            raise StoreError(
                f"{self.root} has {_gib(free)} free: {_gib(needed)} are to come,"
                f" and {_gib(self.reserve)} have to stay free",
                hint="remove a model (`rackwright models remove`), or give the store a larger file system",
            )

    def adopt(self, collected: Path, sha256: str) -> None:
        """Make a collected and checked file content of the store: at once, or not at all."""
        target = self.blob(sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        collected.chmod(_READ_ONLY)
        collected.replace(target)
        _sync(target.parent)

    def record(self, manifest: Manifest) -> None:
        """Write a manifest, and the tree that it stands for; replaces what was there."""
        tree = self.tree(manifest.model, manifest.quantisation)
        new = tree.with_name(f".{tree.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        for each in manifest.files:
            target = new / each.path
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(self.blob(each.sha256), target)
        shutil.rmtree(tree, ignore_errors=True)
        new.replace(tree)
        path = self._manifest_path(manifest.model, manifest.quantisation)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(manifest.model_dump(), indent=2) + "\n", encoding="utf-8")
        temporary.replace(path)
        _sync(path.parent)

    def remove(self, model: str, quantisation: str) -> int:
        """Remove a build; return the bytes that it alone held.

        Raises:
            StoreError: It is not in the store.
        """
        path = self._manifest_path(model, quantisation)
        if not path.is_file():
            raise StoreError(
                f"{model} in {quantisation} is not in {self.root}",
                hint="`rackwright models stored` lists what is",
            )
        manifest = self.manifest(model, quantisation)
        # The manifest goes first: what is left after a crash is content that nothing names.
        path.unlink()
        shutil.rmtree(self.tree(model, quantisation), ignore_errors=True)
        for directory in (path.parent, self.tree(model, quantisation).parent):
            if directory.is_dir() and not any(directory.iterdir()):
                directory.rmdir()
        return self.drop_unused(manifest)

    def drop_unused(self, manifest: Manifest | None) -> int:
        """Drop the content of a build that is no longer recorded, where no other has it; return its bytes.

        Other content that nothing names stays: it may be of a pull that was cut and goes on later.
        """
        used = {each.sha256 for other in self.manifests() for each in other.files}
        dropped = 0
        for each in manifest.files if manifest else ():
            path = self.blob(each.sha256)
            if each.sha256 not in used and path.is_file():
                dropped += each.size
                path.unlink()
        return dropped

    def clean(self) -> int:
        """Drop what came of pulls that did not end, and content that no build names; return its bytes."""
        used = {each.sha256 for manifest in self.manifests() for each in manifest.files}
        dropped = 0
        for path in [*(self.root / "partial").glob("*"), *(self.root / "blobs").glob("*")]:
            if path.name not in used:
                dropped += path.stat().st_size
                path.unlink()
        return dropped

    def damaged(self, manifest: Manifest) -> list[str]:
        """Read a build's content; return the paths of files that are not what they were."""
        return [
            each.path
            for each in manifest.files
            if not self.has(each.sha256, each.size) or sha256_of(self.blob(each.sha256)) != each.sha256
        ]

    def discard(self, sha256: str) -> None:
        """Forget damaged content, so that it is fetched again."""
        self.blob(sha256).unlink(missing_ok=True)

    def _manifest_path(self, model: str, quantisation: str) -> Path:
        return self.root / "models" / model / f"{quantisation}.json"

    def _read(self, path: Path) -> Manifest:
        try:
            return Manifest.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, ValidationError) as error:
            raise StoreError(f"{path} cannot be read as a manifest", hint="pull the model again") from error


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
