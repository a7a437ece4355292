"""Images by digest: from a registry, for the machines that are wanted; from archives, under their ids."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from rackwright.bundle import image_archives, images
from rackwright.bundle.manifest import BundleError
from rackwright.bundle.store import Store

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class RegistryDouble:
    """A registry that gives anybody a token, and holds one image for two machines."""

    def __init__(self) -> None:
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.blobs: dict[str, bytes] = {}
        self.asked: list[str] = []
        listed = []
        for machine in ("amd64", "arm64"):
            config, layer = f'{{"architecture":"{machine}"}}'.encode(), f"layer {machine}".encode()
            for blob in (config, layer):
                self.blobs[digest(blob)] = blob
            document = {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {"mediaType": "c", "digest": f"sha256:{digest(config)}", "size": len(config)},
                "layers": [{"mediaType": "l", "digest": f"sha256:{digest(layer)}", "size": len(layer)}],
            }
            found = self.put(MANIFEST, document)
            platform = {"architecture": machine, "os": "linux"}
            listed.append(
                {"mediaType": MANIFEST, "digest": f"sha256:{found}", "size": 1, "platform": platform}
            )
        self.top = self.put(INDEX, {"schemaVersion": 2, "manifests": listed})

    def put(self, media_type: str, document: dict[str, Any]) -> str:
        content = json.dumps(document).encode()
        self.manifests[digest(content)] = (media_type, content)
        return digest(content)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        if request.url.path == "/token":
            return httpx.Response(200, json={"token": "anybody"})
        if request.headers.get("Authorization") != "Bearer anybody":
            challenge = (
                'Bearer realm="https://auth.example/token",service="r",scope="repository:team/app:pull"'
            )
            return httpx.Response(401, headers={"WWW-Authenticate": challenge})
        media_type, content = self.manifests[request.url.path.rpartition("sha256:")[2]]
        return httpx.Response(200, content=content, headers={"Content-Type": media_type})

    def found(self, machines: frozenset[str], registries: dict[str, str] | None = None) -> list[images.Part]:
        reference = images.parse(f"registry.example/team/app:1.2@sha256:{self.top}")
        with httpx.Client(transport=httpx.MockTransport(self)) as client:
            return list(
                images.parts(images.Registry(client, reference, registries or {}), self.top, machines)
            )


def test_an_image_comes_for_the_machines_that_are_wanted() -> None:
    double = RegistryDouble()
    assert len(double.found(frozenset({"amd64"}))) == 4
    assert len(double.found(frozenset({"amd64", "arm64"}))) == 7
    parts = double.found(frozenset({"amd64"}))
    assert [part.content is not None for part in parts] == [True, True, False, False]
    kinds = images.types_map(parts).decode()
    assert f"{double.top} {INDEX};" in kinds
    with pytest.raises(BundleError, match="not there for riscv64"):
        double.found(frozenset({"riscv64"}))


def test_a_registry_that_gives_another_content_is_refused() -> None:
    double = RegistryDouble()
    kind, content = double.manifests[double.top]
    double.manifests[double.top] = (kind, content + b" ")
    with pytest.raises(BundleError, match="another content"):
        double.found(frozenset({"amd64"}))


def test_a_profile_asks_elsewhere() -> None:
    double = RegistryDouble()
    double.found(frozenset({"amd64"}), {"registry.example": "mirror.example/hub"})
    assert double.asked[0].startswith("https://mirror.example/v2/hub/team/app/manifests/")
    double.asked.clear()
    double.found(frozenset({"amd64"}), {"*": "mirror.example:8481"})
    assert double.asked[0].startswith("https://mirror.example:8481/v2/registry.example/team/app/manifests/")


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("nginx", "docker.io/library/nginx"),
        ("grafana/grafana:11.0.0", "docker.io/grafana/grafana"),
        ("ghcr.io/a/b/c", "ghcr.io/a/b/c"),
        ("localhost:5000/x:1", "localhost:5000/x"),
    ],
)
def test_names_are_read_as_docker_reads_them(text: str, full: str) -> None:
    pinned = "@sha256:" + "a" * 64
    assert images.parse(text + pinned).text == full + pinned
    with pytest.raises(BundleError, match="with a digest"):
        images.parse(text)


def archive(path: Path, layers: list[bytes], config: bytes) -> None:
    names = {f"{number}/layer.tar": layer for number, layer in enumerate(layers)}
    listed = [{"Config": "config.json", "RepoTags": ["rackwright/x:1"], "Layers": list(names)}]
    files = {"manifest.json": json.dumps(listed).encode(), "config.json": config, **names}
    with tarfile.open(path, "w:gz") as out:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            out.addfile(member, io.BytesIO(content))


def test_an_archive_keeps_its_id_and_becomes_what_a_registry_serves(tmp_path: Path) -> None:
    config, layers = b'{"architecture":"amd64"}', [b"one" * 100, b"two"]
    archive(tmp_path / "x.tar.gz", layers, config)
    store = Store(tmp_path / "b")
    made = image_archives.take_apart(tmp_path / "x.tar.gz", store)
    assert (made.name, made.image_id) == ("rackwright/x:1", f"sha256:{digest(config)}")
    document = json.loads(store.path(made.digest).read_bytes())
    assert document["config"]["digest"] == made.image_id
    for descriptor, content in zip(document["layers"], layers, strict=True):
        assert store.path(descriptor["digest"].removeprefix("sha256:")).read_bytes() == content
    assert image_archives.take_apart(tmp_path / "x.tar.gz", Store(tmp_path / "c")).digest == made.digest
    (tmp_path / "not.tar").write_bytes(b"no")
    with pytest.raises(BundleError, match="no archive of an image"):
        image_archives.take_apart(tmp_path / "not.tar", store)
