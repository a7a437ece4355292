"""Bring a model into the store: from the first source that has it, resumed, checked, one writer at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from rackwright.models.catalogue import find_model
from rackwright.models.model import Build, Model, Models
from rackwright.models.store.download import Downloader
from rackwright.models.store.files import Listing, Manifest, RemoteFile, StoredFile, StoreError, relative_path
from rackwright.models.store.folders import list_folder, list_mirror
from rackwright.models.store.hubs import list_hub
from rackwright.models.store.lock import one_writer
from rackwright.models.store.registry import list_registry
from rackwright.models.store.settings import FolderSource, MirrorSource, RegistrySource, SourceSettings
from rackwright.models.store.store import Store

_TIMEOUT = httpx.Timeout(60.0, connect=20.0)


@dataclass(frozen=True)
class Wanted:
    """A build of a model.

    Attributes:
        key: The model.
        quantisation: Its build.
        model: What models.yml says of it.
        build: Where it can be had.
    """

    key: str
    quantisation: str
    model: Model
    build: Build


def new_client() -> httpx.Client:
    """Return a client for sources: follows redirects, as hubs send them to where files are."""
    return httpx.Client(follow_redirects=True, timeout=_TIMEOUT)


def wanted(models: Models, key: str, quantisation: str | None) -> Wanted:
    """Return the build that is meant; the first of the model where none is named.

    Raises:
        RackwrightError: There is no such model.
        StoreError: It has no such build.
    """
    model = find_model(models, key)
    name = quantisation or next(iter(model.builds))
    build = model.builds.get(name)
    if build is None:
        raise StoreError(f"{key} has no build {name}", hint=f"its builds: {', '.join(model.builds)}")
    return Wanted(key, name, model, build)


def find(what: Wanted, sources: Sequence[SourceSettings], client: httpx.Client) -> Listing:
    """Return what the first source that has the build has of it.

    Raises:
        StoreError: No source is set, or none of them has it; says what each answered.
    """
    if not sources:
        raise StoreError(
            "no model source is set",
            hint="define `model_sources` in the inventory (docs/models.md has examples), or give --from",
        )
    answers: list[str] = []
    for source in sources:
        try:
            listing = _list(what, source, client)
        except StoreError as error:
            answers.append(f"{source.kind}: {error.message}")
            continue
        if listing is not None:
            return listing
        answers.append(f"{source.kind}: it has no {what.key} in {what.quantisation}")
    raise StoreError(
        f"{what.key} in {what.quantisation} cannot be had:\n  " + "\n  ".join(answers),
        hint="add a source that has it, or take another build: `rackwright models list`",
    )


def pull(
    what: Wanted,
    sources: Sequence[SourceSettings],
    store: Store,
    downloader: Downloader,
    wait: float = 0.0,
) -> Manifest:
    """Bring a build into the store and return its manifest; what is there already is not fetched.

    Raises:
        StoreError: Another writer is at work, no source has it, there is no room, or a file cannot be had.
    """
    with one_writer(store.lock, wait):
        listing = find(what, sources, downloader.client)
        _check_paths(listing)
        old = store.manifest(what.key, what.quantisation)
        known = {each.path: each for each in old.files} if old and old.revision == listing.revision else {}
        missing = [each for each in listing.files if _there(each, store, known) is None]
        store.check_space(sum(each.size - _collected(each, store) for each in missing))
        files = tuple(_bring(each, store, downloader, known) for each in listing.files)
        manifest = Manifest(
            model=what.key,
            quantisation=what.quantisation,
            source=listing.source,
            name=listing.name,
            revision=listing.revision,
            licence=what.model.licence,
            licence_of_source=listing.licence,
            files=list(files),
        )
        store.record(manifest)
        store.drop_unused(old)
        return manifest


def mend(
    what: Wanted, sources: Sequence[SourceSettings], store: Store, downloader: Downloader, wait: float = 0.0
) -> list[str]:
    """Read a build's content, fetch again what is damaged, and return the paths of it.

    Raises:
        StoreError: It is not in the store, or what is damaged cannot be had again.
    """
    manifest = store.manifest(what.key, what.quantisation)
    if manifest is None:
        raise StoreError(f"{what.key} in {what.quantisation} is not in {store.root}", hint="pull it first")
    damaged = store.damaged(manifest)
    if not damaged:
        return []
    with one_writer(store.lock, wait):
        for each in manifest.files:
            if each.path in damaged:
                store.discard(each.sha256)
    pull(what, sources, store, downloader, wait)
    return damaged


def _list(what: Wanted, source: SourceSettings, client: httpx.Client) -> Listing | None:
    if isinstance(source, FolderSource):
        return list_folder(source, what.key, what.quantisation)
    if isinstance(source, MirrorSource):
        return list_mirror(source, what.key, what.quantisation, client)
    if isinstance(source, RegistrySource):
        return list_registry(source, what.build, client)
    return list_hub(source, what.build, client)


def _check_paths(listing: Listing) -> None:
    for each in listing.files:
        try:
            relative_path(each.path)
        except ValueError as error:
            raise StoreError(f"{listing.name}: {error}", hint="do not use this source") from error


def _there(remote: RemoteFile, store: Store, known: dict[str, StoredFile]) -> StoredFile | None:
    """Return the file as the store has it; None where it has to be fetched."""
    if remote.checksum.kind == "sha256":
        sha256 = remote.checksum.value
    elif remote.path in known:
        # A hub tells git's name only; of the same commit the file is the same.
        sha256 = known[remote.path].sha256
    else:
        return None
    found = StoredFile(path=remote.path, size=remote.size, sha256=sha256)
    return found if store.has(sha256, remote.size) else None


def _collected(remote: RemoteFile, store: Store) -> int:
    partial = store.partial(remote.checksum)
    return min(partial.stat().st_size, remote.size) if partial.is_file() else 0


def _bring(
    remote: RemoteFile, store: Store, downloader: Downloader, known: dict[str, StoredFile]
) -> StoredFile:
    found = _there(remote, store, known)
    if found is not None:
        return found
    partial = store.partial(remote.checksum)
    sha256 = downloader.fetch(remote, partial)
    store.adopt(partial, sha256)
    return StoredFile(path=remote.path, size=remote.size, sha256=sha256)
