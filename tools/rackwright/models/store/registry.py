"""Ollama's registry: the distribution protocol of container registries, with a model's parts as layers."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import httpx

from rackwright.models.model import Build
from rackwright.models.store.answers import answer
from rackwright.models.store.files import Checksum, Listing, RemoteFile, StoreError
from rackwright.models.store.settings import RegistrySource

_ACCEPT = "application/vnd.docker.distribution.manifest.v2+json"
# Media type of a layer -> name of the file. Layers of a kind that is not here keep their kind's name.
_NAMES = {
    "application/vnd.ollama.image.model": "model.gguf",
    "application/vnd.ollama.image.projector": "projector.gguf",
    "application/vnd.ollama.image.template": "template",
    "application/vnd.ollama.image.params": "params.json",
    "application/vnd.ollama.image.system": "system",
    "application/vnd.ollama.image.license": "LICENSE",
}
_CONFIG = "config.json"


def list_registry(source: RegistrySource, build: Build, client: httpx.Client) -> Listing | None:
    """Return what the registry has of a build; None where the build has no name there.

    Raises:
        StoreError: The registry cannot be asked, or has no such model.
    """
    if build.ollama is None:
        return None
    name, tag = build.ollama.rsplit(":", 1)
    repository = name if "/" in name else f"library/{name}"
    base = f"{source.url.rstrip('/')}/v2/{repository}"
    headers = {"Authorization": f"Bearer {source.token}"} if source.token else {}
    response = answer(client, f"{base}/manifests/{tag}", {**headers, "Accept": _ACCEPT})
    try:
        manifest = json.loads(response.content)
        layers = [*manifest["layers"], {**manifest["config"], "mediaType": ""}]
        files = _files(layers, base, headers)
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{build.ollama}: the registry's answer is no manifest", hint="look at `url` of the source"
        ) from error
    revision = hashlib.sha256(response.content).hexdigest()
    return Listing("ollama", build.ollama, revision, "", tuple(files))


def _files(layers: list[dict[str, Any]], base: str, headers: dict[str, str]) -> list[RemoteFile]:
    files: list[RemoteFile] = []
    for layer in layers:
        kind, value = str(layer["digest"]).split(":", 1)
        if kind != "sha256":
            raise ValueError(f"a digest of kind {kind}")
        media = str(layer["mediaType"])
        name = _NAMES.get(media, media.rsplit(".", 1)[-1]) if media else _CONFIG
        taken = sum(1 for each in files if each.path.split("~")[0] == name)
        files.append(
            RemoteFile(
                path=f"{name}~{taken + 1}" if taken else name,
                size=int(layer["size"]),
                checksum=Checksum("sha256", value),
                address=f"{base}/blobs/{layer['digest']}",
                headers=dict(headers),
            )
        )
    return files
