"""Models of a bundle: in the form that hosts know from folders and mirrors (docs/models.md)."""

from __future__ import annotations

from collections.abc import Sequence

from rackwright.bundle.fetch import Job
from rackwright.bundle.manifest import Entry
from rackwright.bundle.store import Store
from rackwright.models.store.files import Manifest, StoredFile
from rackwright.models.store.folders import MANIFEST
from rackwright.models.store.places import build_of


def of_build(
    model: str, quantisation: str, places: Sequence[str], store: Store
) -> tuple[list[Job], list[Entry]]:
    """Return what has to be copied of a build, and its entries.

    Args:
        model: The model.
        quantisation: Its build; empty for the first that a place has.
        places: Stores of `rackwright models` and folders, asked in this order.
        store: Where its manifest goes.

    Raises:
        RackwrightError: No place has it.
    """
    build = build_of(model, quantisation or None, places)
    sources = {str(each["path"]): str(each.pop("source")) for each in build["files"]}
    manifest = Manifest.model_validate(build)
    base = f"models/{manifest.model}/{manifest.quantisation}"
    text = manifest.model_dump_json(indent=2).encode()
    sha256, size = store.add_bytes(text)
    entries = [Entry(f"{base}/{MANIFEST}", sha256, size, "model", manifest.model, manifest.quantisation)]
    entries += [_entry(base, each, manifest) for each in manifest.files]
    jobs = [Job(each.sha256, each.size, sources[each.path], each.path) for each in manifest.files]
    return jobs, entries


def _entry(base: str, file: StoredFile, manifest: Manifest) -> Entry:
    return Entry(
        path=f"{base}/{file.path}",
        sha256=file.sha256,
        size=file.size,
        kind="model",
        name=manifest.model,
        version=manifest.quantisation,
        licence=manifest.licence_of_source or manifest.licence,
        source=f"{manifest.source} {manifest.name}",
    )
