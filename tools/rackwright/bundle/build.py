"""Builds a bundle: works out what is wanted, fetches what is missing of it, writes the lists, signs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from rackwright.bundle import (
    image_archives,
    images,
    model_files,
    repository,
    sbom,
    sign,
    toolkit,
    verify,
    wheels,
)
from rackwright.bundle import manifest as manifests
from rackwright.bundle.apt import AptRoot
from rackwright.bundle.closure import Wanted
from rackwright.bundle.fetch import Job
from rackwright.bundle.manifest import BundleError, Entry, Manifest
from rackwright.bundle.store import Store, sha256_of
from rackwright.bundle.systems import System
from rackwright.site.paths import cache_directory


@dataclass(frozen=True)
class Places:
    """Where a bundle is built from.

    Attributes:
        archives: Base URLs of the distributions.
        registries: Registries of images, and what is asked in their place.
        models: Folders and stores with models' files.
        stale: Whether package indexes past their date are taken.
    """

    archives: Mapping[str, str]
    registries: Mapping[str, str] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    stale: bool = False


@dataclass
class Prepared:
    """What a bundle will hold, before the large part of it is fetched.

    Attributes:
        jobs: What has to be fetched.
        entries: All files but the lists that are made of them.
        repositories: Of the systems.
        manifests: Of images.
    """

    jobs: list[Job] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    repositories: list[repository.Repository] = field(default_factory=list)
    manifests: list[images.Part] = field(default_factory=list)

    def size(self) -> int:
        """Bytes of all contents."""
        return sum({entry.sha256: entry.size for entry in self.entries}.values())

    def by_kind(self) -> dict[str, tuple[int, int]]:
        """Return, for each kind, how many files and bytes there are."""
        found: dict[str, tuple[int, int]] = {}
        for entry in self.entries:
            count, size = found.get(entry.kind, (0, 0))
            found[entry.kind] = (count + 1, size + entry.size)
        return found


Say = Callable[[str], None]


def prepare(wanted: Wanted, places: Places, store: Store, web: httpx.Client, say: Say) -> Prepared:
    """Work out all files, and bring the small ones: indexes, manifests of images, wheels.

    Raises:
        RackwrightError: An index cannot be had, or something is unknown there.
    """
    found = Prepared()
    for note in wanted.notes:
        say(note)
    for system in wanted.systems:
        say(f"packages of {system.text}")
        _packages(system, wanted, places, found, say)
    if wanted.images:
        say(f"{len(wanted.images)} images")
    for text in wanted.images:
        _image(text, wanted, places, found, web)
    for archive in wanted.archives:
        _archive(archive.source, archive.sha256, found, store)
    for file in wanted.files:
        _file(file.name, file.version, file.source, file.sha256, found, web)
    for model, quantisation in wanted.models:
        say(f"model {model}")
        jobs, entries = model_files.of_build(model, quantisation, places.models, store)
        found.jobs += jobs
        found.entries += entries
    say("Python packages")
    cache = cache_directory("wheelhouse")
    of_hosts = wheels.host_wheels(wanted.locks, wanted.systems, cache)
    of_control = wheels.control_wheels(wanted.systems, cache)
    found.entries += wheels.entries([*of_hosts, *of_control], store)
    return found


def finish(wanted: Wanted, found: Prepared, store: Store, version: str) -> Manifest:
    """Write the lists over what has been fetched, and the signatures.

    Args:
        wanted: What the bundle is for.
        found: What is in it.
        store: Its contents, all there.
        version: Of the toolkit.

    Raises:
        BundleError: Something is missing, or there is no key.
    """
    entries = [*found.entries, *toolkit.entries(store, version)]
    entries += wheels.index([entry for entry in entries if entry.kind == "wheel"], store)
    lists = {name: text for each in found.repositories for name, text in each.files().items()}
    entries += _added(lists, "repository", store)
    entries += _added({"images/types.map": images.types_map(found.manifests)}, "index", store)
    entries += _added(sbom.documents(wanted.site, entries), "document", store)
    made = manifests.make(wanted.site, [system.text for system in wanted.systems], entries)
    lacking = [entry.path for entry in made.entries if not store.has(entry.sha256, entry.size)]
    if lacking:
        raise BundleError(f"{lacking[0]} and {len(lacking) - 1} more are not there", hint="run it again")
    _write(made, store)
    return made


def _write(made: Manifest, store: Store) -> None:
    """Write manifest, key, signatures and the script of the control node; the manifest's signature last."""
    root = store.root
    sign.fingerprint()
    (root / verify.SIGNATURES).mkdir(exist_ok=True)
    (root / manifests.SIGNATURE).unlink(missing_ok=True)
    _replace(root / manifests.KEY, sign.public_key())
    for entry in filter(verify.is_signed, made.entries):
        _replace(verify.signature_of(root, entry.path), sign.sign(store.path(entry.sha256)))
    _replace(root / toolkit.SETUP, toolkit.setup_script())
    (root / toolkit.SETUP).chmod(0o755)
    _replace(root / manifests.NAME, made.text().encode())
    _replace(root / manifests.SIGNATURE, sign.sign(root / manifests.NAME))


def _replace(path: Path, content: bytes) -> None:
    """Write a file anew: a copy of the bundle may share the old one (a hard link)."""
    draft = path.with_name(f".{path.name}.new")
    draft.write_bytes(content)
    draft.replace(path)


def _packages(system: System, wanted: Wanted, places: Places, found: Prepared, say: Say) -> None:
    sets = [each for each in wanted.packages if each.system == system]
    root = AptRoot(
        cache_directory("bundle-apt") / system.text.replace("/", "-"),
        system,
        places.archives,
        further=sorted({each.suite for each in sets if each.suite}),
        stale=places.stale,
    )
    root.update()
    debs = root.closure(sets, say)
    found.repositories.append(repository.build(system, debs, root.dates()))
    for deb in debs:
        found.entries.append(repository.entry_of(system, deb))
        found.jobs.append(Job(deb.sha256, deb.size, deb.uri, deb.file))


def _image(text: str, wanted: Wanted, places: Places, found: Prepared, web: httpx.Client) -> None:
    reference = images.parse(text)
    registry = images.Registry(web, reference, places.registries)
    machines = frozenset(system.architecture for system in wanted.systems)
    parts = list(images.parts(registry, reference.digest, machines))
    jobs, entries = images.jobs_and_entries(registry, reference, parts)
    found.jobs += jobs
    found.entries += entries
    found.manifests += [part for part in parts if part.content is not None]


def _archive(source: str, sha256: str, found: Prepared, store: Store) -> None:
    path = Path(source)
    if not path.is_file() or sha256_of(path) != sha256:
        raise BundleError(
            f"{source}: an image's archive that is not there, or not the one with SHA-256 {sha256}"
        )
    image = image_archives.take_apart(path, store)
    found.manifests += [part for part in image.parts if part.content is not None]
    found.entries += [images.entry_of(part, image.name) for part in image.parts]
    # As a file as well: roles that are given an archive by its checksum ask for that.
    store.add_file(path, sha256)
    found.entries.append(
        Entry(f"files/{sha256}", sha256, path.stat().st_size, "file", image.name, image.image_id)
    )


def _file(name: str, version: str, source: str, sha256: str, found: Prepared, web: httpx.Client) -> None:
    if "://" in source:
        size = int(web.head(source).raise_for_status().headers["Content-Length"])
    else:
        size = Path(source).stat().st_size
    found.jobs.append(Job(sha256, size, source, name))
    found.entries.append(Entry(f"files/{sha256}", sha256, size, "file", name, version))


def _added(files: Mapping[str, bytes], kind: str, store: Store) -> Iterator[Entry]:
    for path, content in sorted(files.items()):
        sha256, size = store.add_bytes(content)
        yield Entry(path, sha256, size, kind)
