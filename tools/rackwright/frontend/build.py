"""Packs a static page for the edge; the same files give the same bytes."""

from __future__ import annotations

import hashlib
import io
import stat
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rackwright.errors import RackwrightError
from rackwright.site.paths import cache_directory, repository_root

INDEX = "index.html"
_ASSETS = "assets/"
# Part of a release's name: with another number hosts lay down anew what they have.
_LAYOUT = 2
_MOST_BYTES = 500_000_000


@dataclass(frozen=True)
class Page:
    """A page that is ready to be installed.

    Attributes:
        archive: On the control node.
        digest: Name of the release.
    """

    archive: Path
    digest: str


def build_page(source: str = "") -> Page:
    """Pack a page.

    Args:
        source: A directory, or a tar or zip archive, of a static build with `index.html` at its top; empty
            for the project's own page.

    Raises:
        RackwrightError: It is none, or holds links, or paths that lead out of it.
    """
    files = _own() if not source else _given(Path(source).expanduser())
    if INDEX not in files:
        raise RackwrightError(
            f"frontend_source: {source or 'app/web'} has no {INDEX} at its top",
            hint="give the directory or archive that the build made (dist/ or build/), not the one around it",
        )
    digest = _digest({**files, "": str(_LAYOUT).encode()})
    archive = cache_directory("frontend") / f"page-{digest}.tar"
    if not archive.is_file():
        new = archive.with_suffix(".new")
        with tarfile.open(new, "w", format=tarfile.PAX_FORMAT) as packed:
            # Named, so that they are everybody's to read whatever the host's umask is.
            for name in sorted(_directories(files)):
                place = tarfile.TarInfo(name)
                place.type, place.mode = tarfile.DIRTYPE, 0o755
                packed.addfile(place)
            for name, content in sorted(files.items()):
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(content), 0o644
                packed.addfile(entry, io.BytesIO(content))
        new.replace(archive)
    return Page(archive, digest)


def _directories(files: Iterable[str]) -> set[str]:
    return {str(parent) for name in files for parent in PurePosixPath(name).parents} - {"."}


def _own() -> dict[str, bytes]:
    """Put the assets into a directory named by what they hold: browsers may keep it for a year."""
    files = dict(_of_directory(repository_root() / "app/web"))
    assets = {name: content for name, content in files.items() if name.startswith(_ASSETS)}
    named = f"{_ASSETS}{_digest(assets)}/"
    moved = {named + name.removeprefix(_ASSETS): content for name, content in assets.items()}
    index = files[INDEX].replace(b'"' + _ASSETS.encode(), b'"/' + named.encode())
    rest = {name: content for name, content in files.items() if name not in assets}
    return {**rest, **moved, INDEX: index}


def _given(source: Path) -> dict[str, bytes]:
    if source.is_dir():
        return dict(_of_directory(source))
    if zipfile.is_zipfile(source):
        return _checked(_of_zip(source), source)
    if source.is_file() and tarfile.is_tarfile(source):
        return _checked(_of_tar(source), source)
    raise RackwrightError(f"frontend_source: {source} is no directory, tar or zip archive")


def _of_directory(source: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(source.rglob("*")):
        if path.is_symlink():
            raise RackwrightError(f"frontend_source: {path} is a link; a page is made of files alone")
        if path.is_file():
            yield path.relative_to(source).as_posix(), path.read_bytes()


def _of_zip(source: Path) -> Iterator[tuple[str, int, bytes | None]]:
    with zipfile.ZipFile(source) as packed:
        for entry in packed.infolist():
            if not entry.is_dir():
                link = stat.S_ISLNK(entry.external_attr >> 16)
                yield entry.filename, entry.file_size, None if link else packed.read(entry)


def _of_tar(source: Path) -> Iterator[tuple[str, int, bytes | None]]:
    with tarfile.open(source) as packed:
        for entry in packed:
            if not entry.isdir():
                file = packed.extractfile(entry) if entry.isfile() else None
                yield entry.name, entry.size, None if file is None else file.read()


def _checked(entries: Iterator[tuple[str, int, bytes | None]], source: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    total = 0
    for name, size, content in entries:
        total += size
        path = PurePosixPath(name)
        if content is None or path.is_absolute() or ".." in path.parts or "\\" in name:
            raise RackwrightError(f"frontend_source: {source} holds {name!r}: a link or a way out of it")
        if total > _MOST_BYTES:
            raise RackwrightError(f"frontend_source: {source} holds more than {_MOST_BYTES} bytes")
        found[str(path)] = content
    return found


def _digest(files: Mapping[str, bytes]) -> str:
    whole = hashlib.sha256()
    for name, content in sorted(files.items()):
        whole.update(f"{name}\0{len(content)}\0".encode() + content)
    return whole.hexdigest()[:16]
