from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

from rackwright.lab.image_archive import ImageArchive, write_image

CREATED = "2026-01-01T00:00:00Z"


def layer(path: Path, text: bytes) -> Path:
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("./bin/server")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    return path


def written(directory: Path, name: str, text: bytes = b"one", user: str = "1:1") -> ImageArchive:
    return write_image(
        layer(directory / "layer.tar", text), directory / name, "x/y:1", "amd64", {"User": user}, CREATED
    )


def test_same_content_same_bytes(tmp_path: Path) -> None:
    assert written(tmp_path, "a.tar.gz") == written(tmp_path, "b.tar.gz")
    assert (tmp_path / "a.tar.gz").read_bytes() == (tmp_path / "b.tar.gz").read_bytes()


def test_id_depends_on_content_and_settings(tmp_path: Path) -> None:
    ids = {
        written(tmp_path, "a").image_id,
        written(tmp_path, "b", text=b"two").image_id,
        written(tmp_path, "c", user="2:2").image_id,
    }
    assert len(ids) == 3


def test_every_digest_in_the_archive_is_true(tmp_path: Path) -> None:
    image = written(tmp_path, "a.tar.gz")
    assert image.size == (tmp_path / "a.tar.gz").stat().st_size
    assert image.sha256 == hashlib.sha256((tmp_path / "a.tar.gz").read_bytes()).hexdigest()
    with gzip.open(tmp_path / "a.tar.gz") as raw, tarfile.open(fileobj=io.BytesIO(raw.read())) as archive:
        content = {member.name: archive.extractfile(member) for member in archive}
        read = {name: handle.read() for name, handle in content.items() if handle}
    (entry,) = json.loads(read["manifest.json"])
    assert entry["RepoTags"] == ["x/y:1"]
    config = read[entry["Config"]]
    assert image.image_id == "sha256:" + hashlib.sha256(config).hexdigest()
    layers = ["sha256:" + hashlib.sha256(read[name]).hexdigest() for name in entry["Layers"]]
    assert json.loads(config)["rootfs"]["diff_ids"] == layers
    assert read[entry["Layers"][0]] == (tmp_path / "layer.tar").read_bytes()
