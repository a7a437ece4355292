"""What the lab brings onto its hosts from outside Debian: the model server's image and a model.

A real site takes both from upstream, a mirror or a bundle; the lab makes them itself, from packages and from
nothing. They are kept in the cache and handed out below the lab's directory, with their checksums.
"""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from rackwright.errors import RackwrightError
from rackwright.lab import llama_recipe, tiny_bundle, tiny_model
from rackwright.lab.cache import exclusive
from rackwright.lab.image_archive import file_sha256, write_image
from rackwright.lab.images import architecture, build_archive
from rackwright.lab.mirror import find_mirror
from rackwright.lab.model import Lab
from rackwright.lab.progress import Board, Step
from rackwright.lab.recipe import Recipe
from rackwright.site.paths import cache_directory, repository_root

# Files newer than this get this time in the image, so that its id depends on its content alone.
EPOCH = 1767225600
CREATED = "2026-01-01T00:00:00Z"


@dataclass(frozen=True)
class LlamaImage:
    """The model server's image as a file.

    Attributes:
        name: `name:tag` under which it is known once it is loaded.
        archive: The file, as `docker load` reads it.
        image_id: `sha256:…`, Docker's id of it.
        sha256: Checksum of the file.
        package_version: Of Debian's llama.cpp-tools.
    """

    name: str
    archive: str
    image_id: str
    sha256: str
    package_version: str


@dataclass(frozen=True)
class Model:
    """The model as a file: its checksum, its size in bytes."""

    name: str
    file: str
    sha256: str
    size: int


def artifacts_directory(lab: Lab) -> Path:
    """Return where a lab's artifacts and artifacts.yml are."""
    return lab.directory / "artifacts"


def provide_artifacts(lab: Lab, board: Board) -> Path:
    """Make what is missing of the lab's artifacts; returns the path of artifacts.yml.

    Raises:
        RackwrightError: The image cannot be built.
    """
    target = artifacts_directory(lab)
    target.mkdir(parents=True, exist_ok=True)
    with board.step("image llama.cpp") as step:
        image = _image(target, step)
    with board.step("tiny model") as step:
        model = _model(target)
        tiny_bundle.provide(target / "models")
        step.say(f"{model.name}, {model.size / 1e6:.1f} MB; to switch to: {', '.join(tiny_bundle.MODELS)}")
    document = {"llama_cpp_image": asdict(image), "model": asdict(model)}
    listed = target / "artifacts.yml"
    draft = listed.with_suffix(".new")
    draft.write_text("---\n" + yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    draft.replace(listed)
    return listed


def _image(target: Path, step: Step) -> LlamaImage:
    pinned = _pinned()
    suite = str(pinned.get("suite", llama_recipe.DEFAULT_SUITE))
    recipe = llama_recipe.llama_recipe(suite, architecture(), find_mirror())
    kept = cache_directory("artifacts")
    archive = kept / f"llama-cpp-{recipe.digest}.tar.gz"
    described = archive.with_suffix("").with_suffix(".json")
    with exclusive("artifacts"):
        built = not (archive.is_file() and described.is_file())
        if built:
            step.say(f"{llama_recipe.PACKAGE} of Debian {suite}, from packages")
            description = _build(recipe, archive)
            described.write_text(json.dumps(asdict(description), indent=2) + "\n", encoding="utf-8")
        image = LlamaImage(**json.loads(described.read_text(encoding="utf-8")))
        handed_out = _hand_out(archive, target / "llama-cpp.tar.gz")
    note = f"{image.package_version}, {archive.stat().st_size / 1e6:.0f} MB, {'built' if built else 'there'}"
    wanted = pinned.get("package_version")
    if wanted and wanted != image.package_version:
        # A rolling release has one version at a time, so an older one cannot be had from the mirror any more.
        note += f" [yellow](versions.yml says {wanted}, the mirror has moved on)[/]"
    step.say(note)
    return replace(image, archive=str(handed_out))


def _build(recipe: Recipe, archive: Path) -> LlamaImage:
    with tempfile.TemporaryDirectory(prefix="build-", dir=cache_directory("images")) as work:
        system = Path(work) / "system.tar"
        build_archive(recipe, system, Path(work), epoch=EPOCH)
        version = _read_member(system, llama_recipe.VERSION_FILE)
        name = f"rackwright/{llama_recipe.NAME}:{_tag(version)}"
        draft = Path(work) / "image.tar.gz"
        written = write_image(system, draft, name, recipe.architecture, llama_recipe.image_config(), CREATED)
        shutil.move(draft, archive)
    return LlamaImage(name, str(archive), written.image_id, written.sha256, version)


def _model(target: Path) -> Model:
    path = target / f"{tiny_model.NAME}.gguf"
    draft = path.with_suffix(".new")
    tiny_model.write_tiny_model(draft)
    draft.replace(path)
    return Model(tiny_model.NAME, str(path), file_sha256(path), path.stat().st_size)


def _hand_out(source: Path, target: Path) -> Path:
    """Put a file of the cache where the lab expects it, as a second name of it where that is possible."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    return target


def _read_member(archive: Path, path: str) -> str:
    with tarfile.open(archive) as system:
        content = system.extractfile("." + path)
        if content is None:
            raise RackwrightError(f"{archive}: {path} is not a file")
        return content.read().decode().strip()


def _tag(version: str) -> str:
    """Return a Debian version in the characters that an image's tag may have."""
    return "".join(character if character.isalnum() or character in "._-" else "-" for character in version)


def _pinned() -> dict[str, Any]:
    """Return what versions.yml says of llama.cpp; nothing when it says nothing."""
    path = repository_root() / "versions.yml"
    if not path.is_file():
        return {}
    document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    pinned = (document.get("versions") or {}).get("llama_cpp") or {}
    return dict(pinned)
