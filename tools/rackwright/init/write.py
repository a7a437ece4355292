"""A site's directory: written as a whole or not at all, and never over another."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rackwright.errors import RackwrightError
from rackwright.secrets.atomic import sync_directory


def differences(files: Mapping[Path, bytes], target: Path) -> list[str]:
    """Return the files of an existing site that are not as `init` would write them, by name, sorted."""
    return sorted(
        str(path)
        for path, content in files.items()
        if not (target / path).is_file() or (target / path).read_bytes() != content
    )


def refuse_another(files: Mapping[Path, bytes], target: Path) -> bool:
    """Tell whether a site is there already as it would be written; nothing is there: no.

    Raises:
        RackwrightError: Another site is there, or this one with changes.
    """
    if not target.exists() and not target.is_symlink():
        return False
    if not target.is_dir():
        raise RackwrightError(f"{target} is there and no directory", hint="name another with --output")
    differing = differences(files, target)
    if differing:
        raise RackwrightError(
            f"{target} is there already, and not as these answers would write it: {', '.join(differing)}",
            hint="edit the site's own files, or give the new one another --name (or --output); "
            "init never overwrites a site",
        )
    return True


def write_site(files: Mapping[Path, bytes], target: Path, complete: Callable[[Path], None]) -> None:
    """Write a site so that its directory is there whole, or not at all.

    Args:
        files: Content by path in the site's directory.
        target: The directory to be; must not exist.
        complete: Called with the directory under its temporary name: checks it and adds what else belongs
            there. When it raises, nothing stays.

    Raises:
        RackwrightError: The directory cannot be made, or another run has made it meanwhile.
    """
    try:
        with drafted(files, target) as draft:
            complete(draft)
            for path in (*draft.rglob("*"), draft):
                _sync(path)
            # Fails when somebody has made it meanwhile: a directory with content is not replaced.
            draft.rename(target)
            sync_directory(target.parent)
    except OSError as error:
        raise RackwrightError(
            f"{target} cannot be written: {error.strerror or error}", hint="name another place with --output"
        ) from error


@contextmanager
def drafted(files: Mapping[Path, bytes], target: Path) -> Iterator[Path]:
    """Write files into a directory beside a site's own; it is gone afterwards, unless it has been renamed.

    Raises:
        OSError: The directory cannot be made or written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # The dot keeps tools that look for sites from finding one that is not whole.
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".new", dir=target.parent))
    try:
        draft.chmod(0o777 & ~_umask())
        for path, content in files.items():
            (draft / path).parent.mkdir(parents=True, exist_ok=True)
            (draft / path).write_bytes(content)
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
