"""Writes a container image as `docker load` reads it, without Docker: the same content gives the same id."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

# Debian's names of architectures -> those of container images.
ARCHITECTURES = {"amd64": "amd64", "arm64": "arm64", "armhf": "arm", "ppc64el": "ppc64le", "s390x": "s390x"}


@dataclass(frozen=True)
class ImageArchive:
    """A written archive.

    Attributes:
        image_id: `sha256:…` of the image's configuration: Docker's image id, wherever it is loaded.
        sha256: Checksum of the archive file.
        size: Bytes of the archive file.
    """

    image_id: str
    sha256: str
    size: int


def write_image(
    layer: Path, target: Path, tag: str, architecture: str, config: Mapping[str, object], created: str
) -> ImageArchive:
    """Pack one root file system into an image of one layer.

    Args:
        layer: Tar archive of the root file system.
        target: The file to write, compressed by gzip.
        tag: `name:tag` that the image gets when it is loaded.
        architecture: Debian's name of it.
        config: What the container runs (the OCI image configuration's `config`).
        created: RFC 3339 time to write into the image; part of its id.
    """
    return write_images(layer, target, {tag: config}, architecture, created)[tag]


def write_images(
    layer: Path,
    target: Path,
    configs: Mapping[str, Mapping[str, object]],
    architecture: str,
    created: str,
) -> dict[str, ImageArchive]:
    """Pack one root file system into images that share it as their one layer, in one archive.

    Args:
        layer: As for one image; so are the others.
        target: As for one image.
        configs: `name:tag` -> what the container runs.
        architecture: As for one image.
        created: As for one image.
    """
    digest = file_sha256(layer)
    configurations = {
        tag: _configuration(config, architecture, created, digest) for tag, config in configs.items()
    }
    images = {tag: hashlib.sha256(content).hexdigest() for tag, content in configurations.items()}
    manifest = [
        {"Config": f"{image}.json", "RepoTags": [tag], "Layers": [f"{digest}/layer.tar"]}
        for tag, image in images.items()
    ]
    with (
        layer.open("rb") as content,
        target.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for tag, image in images.items():
            _add(archive, f"{image}.json", configurations[tag])
        _add_stream(archive, f"{digest}/layer.tar", content, layer.stat().st_size)
        _add(archive, "manifest.json", json.dumps(manifest).encode())
    sha256, size = file_sha256(target), target.stat().st_size
    return {tag: ImageArchive(f"sha256:{image}", sha256, size) for tag, image in images.items()}


def _configuration(config: Mapping[str, object], architecture: str, created: str, digest: str) -> bytes:
    return json.dumps(
        {
            "architecture": ARCHITECTURES.get(architecture, architecture),
            "os": "linux",
            "created": created,
            "config": dict(config),
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            "history": [{"created": created, "created_by": "rackwright lab artifacts"}],
        },
        sort_keys=True,
        separators=(",", ":"),
    ).encode()


def file_sha256(path: Path) -> str:
    """Return a file's checksum as hexadecimal digits."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    _add_stream(archive, name, io.BytesIO(content), len(content))


def _add_stream(archive: tarfile.TarFile, name: str, content: BinaryIO, size: int) -> None:
    # TarInfo's defaults (time 0, owner 0, mode 0644) are the same everywhere.
    member = tarfile.TarInfo(name)
    member.size = size
    archive.addfile(member, content)
