"""A folder, a bundle, or a mirror of the site: <model>/<quantisation>/manifest.json, the files beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from rackwright.models.store.answers import answer
from rackwright.models.store.files import Checksum, Listing, Manifest, RemoteFile, StoreError
from rackwright.models.store.settings import FolderSource, MirrorSource

MANIFEST = "manifest.json"


def list_folder(source: FolderSource, model: str, quantisation: str) -> Listing | None:
    """Return what a folder has of a build; None where it has no such build.

    Raises:
        StoreError: Its manifest cannot be read.
    """
    directory = Path(source.path) / model / quantisation
    path = directory / MANIFEST
    if not path.is_file():
        return None
    return _listing("folder", str(path), path.read_text(encoding="utf-8"), lambda name: str(directory / name))


def list_mirror(source: MirrorSource, model: str, quantisation: str, client: httpx.Client) -> Listing:
    """Return what a mirror has of a build.

    Raises:
        StoreError: It cannot be asked, has no such build, or its manifest cannot be read.
    """
    base = f"{source.url.rstrip('/')}/{quote(model)}/{quote(quantisation)}"
    text = answer(client, f"{base}/{MANIFEST}").text
    return _listing("mirror", base, text, lambda name: f"{base}/{quote(name)}")


def _listing(kind: str, where: str, text: str, address: Callable[[str], str]) -> Listing:
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        raise StoreError(
            f"{where} is no manifest: {place}: {first['msg']}",
            hint="make it with `rackwright models export`, or carry it again",
        ) from error
    files = tuple(
        RemoteFile(each.path, each.size, Checksum("sha256", each.sha256), address(each.path))
        for each in manifest.files
    )
    return Listing(kind, manifest.name, manifest.revision, manifest.licence_of_source, files)
