"""Images that are files (`docker save`): taken apart so that a registry can serve them under their ids."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from rackwright.bundle.images import Part
from rackwright.bundle.manifest import BundleError
from rackwright.bundle.store import Store

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class TakenApart:
    """An image of an archive.

    Attributes:
        name: As the archive calls it.
        image_id: Digest of its settings, by which Docker knows it.
        digest: Digest of the manifest that was made for it.
        parts: All of it; the contents are in the bundle.
    """

    name: str
    image_id: str
    digest: str
    parts: tuple[Part, ...]


def take_apart(archive: Path, store: Store) -> TakenApart:
    """Put the parts of an image's archive into a bundle.

    Raises:
        BundleError: It is no archive of one image.
    """
    try:
        with tarfile.open(archive) as members:
            return _taken_apart(members, store)
    except (tarfile.TarError, KeyError, ValueError, OSError) as error:
        raise BundleError(f"{archive} is no archive of an image (docker save): {error}") from error


def _taken_apart(members: tarfile.TarFile, store: Store) -> TakenApart:
    listed: list[dict[str, Any]] = json.loads(_read(members, "manifest.json"))
    if len(listed) != 1:
        raise ValueError(f"it holds {len(listed)} images, not one")
    image = listed[0]
    config = _read(members, image["Config"])
    config_digest, config_size = store.add_bytes(config)
    layers = [Part(*_stored(members, name, store)) for name in image["Layers"]]
    document = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": _descriptor(Part(config_digest, config_size, _CONFIG)),
        "layers": [_descriptor(layer) for layer in layers],
    }
    content = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    digest, size = store.add_bytes(content)
    parts = (Part(digest, size, _MANIFEST, content), Part(config_digest, config_size, _CONFIG), *layers)
    name = (image.get("RepoTags") or [""])[0]
    return TakenApart(name, f"sha256:{config_digest}", digest, parts)


def _stored(members: tarfile.TarFile, name: str, store: Store) -> tuple[str, int, str]:
    """Put a layer in as it is; return digest, size and kind."""
    scratch = store.partial(f"layer-{hashlib.sha256(name.encode()).hexdigest()[:16]}")
    digest, size, head = hashlib.sha256(), 0, b""
    with scratch.open("wb") as writer:
        for block in _blocks(_opened(members, name)):
            head = head or block[:2]
            digest.update(block)
            writer.write(block)
            size += len(block)
    store.take(scratch, digest.hexdigest())
    return digest.hexdigest(), size, _LAYER + ("+gzip" if head == _GZIP else "")


def _blocks(stream: IO[bytes]) -> Iterator[bytes]:
    while block := stream.read(1 << 20):
        yield block


def _opened(members: tarfile.TarFile, name: str) -> IO[bytes]:
    stream = members.extractfile(name)
    if stream is None:
        raise ValueError(f"{name} in it is no file")
    return stream


def _read(members: tarfile.TarFile, name: str) -> bytes:
    return _opened(members, name).read()


def _descriptor(part: Part) -> dict[str, Any]:
    return {"mediaType": part.media_type, "digest": f"sha256:{part.digest}", "size": part.size}
