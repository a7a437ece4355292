"""A bundle's directory: each content once, under its SHA-256; what is there under its name is whole."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from rackwright.bundle.manifest import BundleError, Entry, Manifest
from rackwright.bundle.stamps import Stamps

BLOCK = 1 << 20


class Store:
    """The contents of a bundle below its directory.

    Attributes:
        root: The bundle's directory.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, sha256: str) -> Path:
        """Return where a content lies."""
        return self.root / "objects" / sha256[:2] / sha256

    def partial(self, sha256: str) -> Path:
        """Return where a content is collected; it is kept when a download is cut."""
        path = self.root / "partial" / sha256
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def has(self, sha256: str, size: int) -> bool:
        """Tell whether a content is there, by its size; `damage` reads it."""
        path = self.path(sha256)
        return path.is_file() and path.stat().st_size == size

    def take(self, source: Path, sha256: str) -> None:
        """Move a file, whose content has been checked, into its place."""
        target = self.path(sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        source.chmod(0o644)
        source.replace(target)

    def add_bytes(self, content: bytes) -> tuple[str, int]:
        """Put a content in; return its SHA-256 and size."""
        sha256 = hashlib.sha256(content).hexdigest()
        if not self.has(sha256, len(content)):
            scratch = self.partial(sha256)
            scratch.write_bytes(content)
            self.take(scratch, sha256)
        return sha256, len(content)

    def add_file(self, source: Path, expected: str = "") -> tuple[str, int]:
        """Copy a file in; return its SHA-256 and size.

        Raises:
            BundleError: Its content is another than expected.
        """
        (self.root / "partial").mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self.root / "partial")
        scratch = Path(name)
        digest = hashlib.sha256()
        try:
            with source.open("rb") as reader, os.fdopen(descriptor, "wb") as writer:
                while block := reader.read(BLOCK):
                    digest.update(block)
                    writer.write(block)
            found = digest.hexdigest()
            if expected and found != expected:
                raise BundleError(f"{source} has SHA-256 {found}, expected {expected}")
            self.take(scratch, found)
        finally:
            scratch.unlink(missing_ok=True)
        return found, self.path(found).stat().st_size

    def damage(self, sha256: str, size: int) -> str:
        """Read a content; return what is wrong with it, nothing when it is whole."""
        path = self.path(sha256)
        if not path.is_file():
            return "missing"
        if path.stat().st_size != size:
            return f"{path.stat().st_size} bytes instead of {size}"
        found = sha256_of(path)
        return "" if found == sha256 else f"another content, SHA-256 {found}"

    def link_tree(self, manifest: Manifest, tree: Path) -> None:
        """Make the tree of names anew, each a link to its content; it appears as a whole."""
        draft = tree.with_name(f".{tree.name}.new")
        shutil.rmtree(draft, ignore_errors=True)
        for entry in manifest.entries:
            name = draft / entry.path
            name.parent.mkdir(parents=True, exist_ok=True)
            self._link(entry, name)
        shutil.rmtree(tree, ignore_errors=True)
        draft.replace(tree)

    def name(self, manifest: Manifest) -> None:
        """Have the tree of names of this manifest beside the contents.

        Contents are what is checked, so nothing else may stand under a name: a copy of its own that a medium
        brought along, a name too many or too few, and the tree is made anew.

        Raises:
            OSError: It cannot be written there.
        """
        tree, copies = self.root / "tree", Stamps(self.root / "tree")
        named = {entry.path: entry for entry in manifest.entries}
        there = {str(path.relative_to(tree)) for path in tree.rglob("*") if not path.is_dir()}
        if there != set(named) or not all(self._stands(entry, tree, copies) for entry in named.values()):
            self.link_tree(manifest, tree)
            for entry in named.values():
                if not (tree / entry.path).samefile(self.path(entry.sha256)):
                    copies.remember(tree / entry.path, entry.path)
        copies.keep()

    def _stands(self, entry: Entry, tree: Path, copies: Stamps) -> bool:
        """Tell whether a name is its content: a link to it, or the copy that was made here."""
        name, content = tree / entry.path, self.path(entry.sha256)
        linked = name.is_file() and content.is_file() and name.samefile(content)
        return linked or copies.holds(name, entry.path)

    def _link(self, entry: Entry, name: Path) -> None:
        content = self.path(entry.sha256)
        try:
            os.link(content, name)
        except OSError:
            # A file system without links of that kind (exFAT): a copy.
            shutil.copyfile(content, name)

    def unwanted(self, manifests: Iterable[Manifest]) -> list[Path]:
        """Return the files of contents that none of these lists has, cut downloads included."""
        wanted = {sha256 for manifest in manifests for sha256 in manifest.objects()}
        found = [path for path in sorted((self.root / "objects").glob("??/*")) if path.name not in wanted]
        return found + sorted((self.root / "partial").glob("*"))


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal; a block at a time."""
    digest = hashlib.sha256()
    with path.open("rb") as reader:
        while block := reader.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
