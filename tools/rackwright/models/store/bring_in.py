"""Import files that were carried by hand, and make bundles that can be carried."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rackwright.models.model import Models
from rackwright.models.store.files import Manifest, StoredFile, StoreError, sha256_of
from rackwright.models.store.folders import MANIFEST
from rackwright.models.store.lock import one_writer
from rackwright.models.store.modelfile import files_of
from rackwright.models.store.pull import Wanted
from rackwright.models.store.store import Store
from rackwright.models.weights import weights

_GGUF = b"GGUF"
# How far a file may be from the size that its model and quantisation have.
_TOLERANCE = 0.2


def import_files(
    what: Wanted, path: Path, models: Models, store: Store, wait: float = 0.0, modelfile: Path | None = None
) -> Manifest:
    """Take a file or a directory without a manifest into the store as a build of a model.

    Args:
        what: The build that it is.
        path: A GGUF file, or a directory with a repository's files.
        models: All models: says what format the build has, and how large it is.
        store: Where it goes.
        wait: Seconds to wait for another writer.
        modelfile: What is said of the model: its template, stop words, parameters.

    Raises:
        StoreError: It is not what it should be, or there is no room.
    """
    files = list(_files(path))
    _check(what, files, models)
    beside = files_of(modelfile.read_text(encoding="utf-8"), str(modelfile)) if modelfile else {}
    with one_writer(store.lock, wait), tempfile.TemporaryDirectory(prefix="import-") as work:
        store.check_space(sum(each.stat().st_size for _, each in files))
        stored = [_take(name, each, store) for name, each in files if name not in beside]
        for name, content in beside.items():
            (Path(work) / name).write_bytes(content)
            stored.append(_take(name, Path(work) / name, store))
        manifest = Manifest(
            model=what.key,
            quantisation=what.quantisation,
            source="import",
            name=path.name,
            revision="",
            licence=what.model.licence,
            licence_of_source="",
            files=stored,
        )
        old = store.manifest(what.key, what.quantisation)
        store.record(manifest)
        store.drop_unused(old)
    return manifest


def export(store: Store, model: str, quantisation: str, target: Path) -> Path:
    """Copy a build into a folder that a source of kind folder or mirror serves; return its directory.

    Raises:
        StoreError: The build is not in the store.
    """
    manifest = store.manifest(model, quantisation)
    if manifest is None:
        raise StoreError(f"{model} in {quantisation} is not in {store.root}", hint="pull it first")
    directory = target / model / quantisation
    for each in manifest.files:
        file = directory / each.path
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(store.blob(each.sha256), file)
    # Last: a folder without a manifest is not taken for a build.
    text = json.dumps(manifest.model_dump(), indent=2) + "\n"
    (directory / MANIFEST).write_text(text, encoding="utf-8")
    return directory


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_file():
        yield path.name, path
        return
    if not path.is_dir():
        hint = "give a GGUF file, or a directory with a model's files"
        raise StoreError(f"{path} does not exist", hint=hint)
    for each in sorted(path.rglob("*")):
        if each.is_file() and not each.name.startswith("."):
            yield str(each.relative_to(path)), each


def _check(what: Wanted, files: list[tuple[str, Path]], models: Models) -> None:
    form = models.quantisations[what.quantisation].format
    suffix = f".{form}"
    parts = [path for name, path in files if name.endswith(suffix)]
    if not parts:
        raise StoreError(
            f"{what.quantisation} is of {suffix} files, and there is none",
            hint="name the quantisation that it is",
        )
    if form == "gguf":
        for path in parts:
            with path.open("rb") as stream:
                if stream.read(len(_GGUF)) != _GGUF:
                    raise StoreError(f"{path} is no GGUF file", hint="it was cut, or is something else")
    planned = weights(what.model, what.quantisation, models.quantisations[what.quantisation]).total
    size = sum(path.stat().st_size for path in parts)
    if abs(size / planned - 1) > _TOLERANCE:
        raise StoreError(
            f"the files have {size / 1e9:.2f} GB,"
            f" {what.key} in {what.quantisation} has about {planned / 1e9:.2f} GB",
            hint="is it this model in this quantisation, and whole?",
        )


def _take(name: str, path: Path, store: Store) -> StoredFile:
    size, sha256 = path.stat().st_size, sha256_of(path)
    if not store.has(sha256, size):
        collected = store.root / "partial" / f"import-{sha256}"
        collected.parent.mkdir(parents=True, exist_ok=True)
        with path.open("rb") as source, collected.open("wb") as target:
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
        if sha256_of(collected) != sha256:
            raise StoreError(f"{path} changed while it was read", hint="import it again")
        store.adopt(collected, sha256)
    return StoredFile(path=name, size=size, sha256=sha256)
