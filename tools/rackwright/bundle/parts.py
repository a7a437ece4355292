"""A bundle in parts for media, and whole again; an old bundle and what changed make a new one."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rackwright.bundle import manifest as manifests
from rackwright.bundle.manifest import BundleError, Manifest
from rackwright.bundle.store import BLOCK, Store, sha256_of
from rackwright.bundle.toolkit import SETUP
from rackwright.bundle.verify import SIGNATURES

PART = "part.json"
_PIECES = "pieces"


@dataclass(frozen=True)
class Piece:
    """A stretch of a content, in one part.

    Attributes:
        sha256: Of the whole content.
        offset: Where the stretch begins in it.
        length: Bytes.
        own_sha256: Of the stretch.
    """

    sha256: str
    offset: int
    length: int
    own_sha256: str

    @property
    def name(self) -> str:
        """Name of its file."""
        return f"{self.sha256}.{self.offset}"


def copy_lists(source: Path, target: Path) -> None:
    """Copy what says what a bundle is: manifest, key, signatures, the script of the control node."""
    target.mkdir(parents=True, exist_ok=True)
    for name in (manifests.NAME, manifests.SIGNATURE, manifests.KEY, SETUP):
        shutil.copy2(source / name, target / name)
    shutil.copytree(source / SIGNATURES, target / SIGNATURES, dirs_exist_ok=True)


def split(bundle: Path, out: Path, size: int, report: Callable[[int], None]) -> list[Path]:
    """Write a bundle as parts; each is a directory that fits on a medium.

    Args:
        bundle: The bundle.
        out: Where the parts go.
        size: Bytes of a part's contents at most; the lists come on top, as in every part.
        report: Called with the bytes that were written.

    Returns:
        The parts.

    Raises:
        BundleError: A content is not there.
    """
    found, store = manifests.read(bundle), Store(bundle)
    plan = list(_planned(found, size))
    parts = []
    for number, stretches in enumerate(plan, 1):
        part = out / f"part-{number:03d}-of-{len(plan):03d}"
        copy_lists(bundle, part)
        (part / _PIECES).mkdir(exist_ok=True)
        pieces = []
        for sha256, offset, length in stretches:
            if not store.path(sha256).is_file():
                raise BundleError(f"{store.path(sha256)} is missing: verify the bundle first")
            target = part / _PIECES / f"{sha256}.{offset}"
            pieces.append(Piece(sha256, offset, length, _cut(store.path(sha256), offset, length, target)))
            report(length)
        listed = {
            "digest": found.digest,
            "number": number,
            "of": len(plan),
            "pieces": [asdict(p) for p in pieces],
        }
        (part / PART).write_text(json.dumps(listed, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        parts.append(part)
    return parts


def join(sources: Sequence[Path], out: Path, report: Callable[[int], None]) -> Manifest:
    """Make a whole bundle of parts, or of an older bundle and a differential one; goes on where it was cut.

    Args:
        sources: Parts and bundles, in any order but that the last one's manifest is what is made.
        out: The bundle that is made.
        report: Called with the bytes that are in place.

    Raises:
        BundleError: A piece is damaged, or something is in none of the sources.
    """
    wanted = manifests.read(sources[-1])
    store = Store(out)
    lacking = {sha: size for sha, size in wanted.objects().items() if not store.has(sha, size)}
    for source in sources:
        if (source / PART).is_file():
            _take_pieces(source, wanted.digest, store, lacking, report)
        else:
            _take_whole(source, store, lacking, report)
    if lacking:
        names = [entry.path for entry in wanted.entries if entry.sha256 in lacking]
        raise BundleError(
            f"{len(names)} files are in none of these, {names[0]} among them{_absent(sources)}",
            hint="name all parts; of a differential bundle also the one that it was made against",
        )
    copy_lists(sources[-1], out)
    shutil.rmtree(out / "partial", ignore_errors=True)
    store.name(wanted)
    return wanted


def difference(old: Manifest, bundle: Path, out: Path, report: Callable[[int], None]) -> tuple[int, int]:
    """Write what a bundle has and an older one has not.

    Args:
        old: The older bundle's manifest.
        bundle: The newer bundle.
        out: The differential bundle.
        report: Called with the bytes that were written.

    Returns:
        Its contents and their bytes.
    """
    changed = new_objects(old, manifests.read(bundle))
    source, target = Store(bundle), Store(out)
    for sha256, size in changed.items():
        if not target.has(sha256, size):
            place = target.path(sha256)
            place.parent.mkdir(parents=True, exist_ok=True)
            _link_or_copy(source.path(sha256), place)
        report(size)
    copy_lists(bundle, out)
    return len(changed), sum(changed.values())


def new_objects(old: Manifest, new: Manifest) -> dict[str, int]:
    """Return the contents of the newer bundle that the older one does not have, with their sizes."""
    known = old.objects()
    return {sha256: size for sha256, size in new.objects().items() if sha256 not in known}


def _planned(found: Manifest, size: int) -> Iterator[list[tuple[str, int, int]]]:
    """Yield the stretches of each part: (content, offset, length)."""
    part: list[tuple[str, int, int]] = []
    room = size
    for sha256, total in sorted(found.objects().items()):
        offset = 0
        while offset < total or total == 0:
            length = min(total - offset, room)
            if length:
                part.append((sha256, offset, length))
            offset, room = offset + length, room - length
            if room == 0:
                yield part
                part, room = [], size
            if total == 0:
                part.append((sha256, 0, 0))
                break
    if part:
        yield part


def _cut(content: Path, offset: int, length: int, target: Path) -> str:
    digest, left = hashlib.sha256(), length
    with content.open("rb") as reader, target.open("wb") as writer:
        reader.seek(offset)
        while left and (block := reader.read(min(BLOCK, left))):
            digest.update(block)
            writer.write(block)
            left -= len(block)
    return digest.hexdigest()


def _take_pieces(
    source: Path, digest: str, store: Store, lacking: dict[str, int], report: Callable[[int], None]
) -> None:
    listed = json.loads((source / PART).read_text(encoding="utf-8"))
    if listed["digest"] != digest:
        raise BundleError(f"{source.name} is of another bundle ({listed['digest'][:16]})")
    for piece in (Piece(**each) for each in listed["pieces"]):
        if piece.sha256 not in lacking:
            continue
        path = source / _PIECES / piece.name
        if not path.is_file() or sha256_of(path) != piece.own_sha256:
            raise BundleError(f"{path}: damaged or missing", hint="copy this part again from its medium")
        partial = store.partial(piece.sha256)
        with path.open("rb") as reader, partial.open("r+b" if partial.exists() else "wb") as writer:
            writer.seek(piece.offset)
            shutil.copyfileobj(reader, writer, BLOCK)
        report(piece.length)
        # One that came before its time leaves a gap; the checksum tells when there is none any more.
        whole = partial.stat().st_size == lacking[piece.sha256]
        if whole and sha256_of(partial) == piece.sha256:
            store.take(partial, piece.sha256)
            del lacking[piece.sha256]


def _take_whole(source: Path, store: Store, lacking: dict[str, int], report: Callable[[int], None]) -> None:
    there = Store(source)
    for sha256, size in list(lacking.items()):
        if there.has(sha256, size):
            store.add_file(there.path(sha256), sha256)
            del lacking[sha256]
            report(size)


def _absent(sources: Sequence[Path]) -> str:
    listed = [json.loads((source / PART).read_text()) for source in sources if (source / PART).is_file()]
    if not listed:
        return ""
    missing = sorted(set(range(1, listed[0]["of"] + 1)) - {each["number"] for each in listed})
    return f"; parts that were not named: {', '.join(map(str, missing))}" if missing else ""


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
