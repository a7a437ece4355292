"""Is a bundle what it claims to be: its signer, its manifest, every content, every signature in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from rackwright.bundle import manifest as manifests
from rackwright.bundle import sign
from rackwright.bundle.manifest import BundleError, Entry, Manifest
from rackwright.bundle.stamps import Stamps
from rackwright.bundle.store import Store

SIGNATURES = "signatures"
_READERS = 2


@dataclass(frozen=True)
class Damage:
    """What is wrong with one file of a bundle.

    Attributes:
        path: Its name in the tree, or beside it.
        what: What is wrong, in a few words.
    """

    path: str
    what: str

    def __str__(self) -> str:
        """Return both in one line."""
        return f"{self.path}: {self.what}"


def signature_of(directory: Path, path: str) -> Path:
    """Return where a file's signature lies; signatures differ each time, so no list has them."""
    return directory / SIGNATURES / f"{path.replace('/', '_')}.asc"


def is_signed(entry: Entry) -> bool:
    """Tell whether a file has a signature of its own, that hosts check."""
    return entry.kind == "repository" and entry.path.endswith("/Release")


def trusted_manifest(directory: Path, signer: str) -> Manifest:
    """Return a bundle's manifest once its signature is that of the key that the site trusts.

    Raises:
        BundleError: It is not.
    """
    if not directory.is_dir() or not (directory / manifests.NAME).is_file():
        raise BundleError(
            f"bundle_directory is {str(directory)!r}: there is no bundle",
            hint="write where the control node has the bundle, an absolute path; docs/bundle.md",
        )
    path = directory / manifests.NAME
    sign.check(path, directory / manifests.SIGNATURE, directory / manifests.KEY, signer)
    return manifests.read(path)


def trusted_key(directory: Path, signer: str) -> str:
    """Return the text of the key that signed a bundle, once it is sure that the site trusts it.

    Raises:
        BundleError: It does not.
    """
    parts = [directory / name for name in (manifests.NAME, manifests.SIGNATURE, manifests.KEY)]
    return _trusted_key(directory, signer, tuple(part.stat().st_mtime_ns for part in parts if part.is_file()))


@lru_cache(maxsize=4)
def _trusted_key(directory: Path, signer: str, _changed: tuple[int, ...]) -> str:
    trusted_manifest(directory, signer)
    return (directory / manifests.KEY).read_text(encoding="ascii")


def verify(
    directory: Path,
    signer: str,
    report: Callable[[int], None] = lambda _size: None,
    *,
    remembered: bool = False,
) -> tuple[Manifest, list[Damage]]:
    """Look at everything in a bundle.

    Args:
        directory: The bundle.
        signer: Fingerprint that the site trusts.
        report: Called with the bytes that have been looked at.
        remembered: Whether a file that has not changed since it was last read is believed.

    Returns:
        The manifest, and what is wrong; a content that several names stand for is told under each.

    Raises:
        BundleError: The manifest itself cannot be trusted, so nothing can.
    """
    found = trusted_manifest(directory, signer)
    return found, [
        *contents(directory, found, report, remembered=remembered),
        *_signatures(directory, found, signer),
    ]


def contents(
    directory: Path, found: Manifest, report: Callable[[int], None], *, remembered: bool
) -> Iterator[Damage]:
    """Yield the files whose content is missing or another."""
    store, stamps = Store(directory), Stamps(directory)

    def look(item: tuple[str, int]) -> tuple[str, str]:
        sha256, size = item
        path = store.path(sha256)
        if remembered and stamps.holds(path, sha256):
            damage = ""
        else:
            damage = store.damage(sha256, size)
            if not damage:
                stamps.remember(path, sha256)
        report(size)
        return sha256, damage

    with ThreadPoolExecutor(max_workers=_READERS) as pool:
        damaged = {sha256: damage for sha256, damage in pool.map(look, found.objects().items()) if damage}
    stamps.keep()
    for entry in found.entries:
        if entry.sha256 in damaged:
            yield Damage(entry.path, damaged[entry.sha256])


def _signatures(directory: Path, found: Manifest, signer: str) -> Iterator[Damage]:
    store = Store(directory)
    for entry in filter(is_signed, found.entries):
        signature = signature_of(directory, entry.path)
        content = store.path(entry.sha256)
        if not content.is_file():
            continue
        try:
            sign.check(content, signature, directory / manifests.KEY, signer)
        except BundleError as error:
            yield Damage(f"{signature.relative_to(directory)}", error.message)
