"""Hugging Face and ModelScope: what they have of a repository, with checksums.

Hugging Face: GET /api/models/<repository>/revision/<revision>?blobs=true tells the files; each comes from
/<repository>/resolve/<commit>/<path>. ModelScope: GET /api/v1/models/<repository>/repo/files?Revision=… tells
the files; each comes from /api/v1/models/<repository>/repo?Revision=…&FilePath=….
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from rackwright.models.model import Build
from rackwright.models.store.answers import answer, as_json
from rackwright.models.store.files import Checksum, Listing, RemoteFile, StoreError
from rackwright.models.store.settings import HubSource

# What a repository has beside the model and no engine reads: the same weights again, pictures, files of git.
_LEFT_OUT = (
    ".git*",
    "*.onnx",
    "onnx/*",
    "openvino/*",
    "original/*",
    "*.pth",
    "*.msgpack",
    "*.h5",
    "*.png",
    "*.jpg",
)
_PYTORCH = ("pytorch_model*.bin", "pytorch_model*.bin.index.json")


def list_hub(source: HubSource, build: Build, client: httpx.Client) -> Listing | None:
    """Return what a hub has of a build; None where the build has no name there.

    Raises:
        StoreError: The hub cannot be asked, has no such repository, no fitting file, or no checksum of one.
    """
    name = build.names().get(source.kind)
    if name is None:
        return None
    headers = {"Authorization": f"Bearer {source.token}"} if source.token else {}
    ask = _huggingface if source.kind == "huggingface" else _modelscope
    try:
        revision, licence, found = ask(source, name, client, headers)
        files = tuple(_wanted(found, build.files))
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"{name}: the answer of {source.kind} has another form than its API",
            hint="look at `url` of the source",
        ) from error
    if not files:
        what = f" that are called {build.files}" if build.files else ""
        raise StoreError(f"{name} on {source.kind} has no files{what}", hint="correct `files` of the build")
    return Listing(source.kind, name, revision, licence, files)


def _huggingface(
    source: HubSource, name: str, client: httpx.Client, headers: dict[str, str]
) -> tuple[str, str, list[RemoteFile]]:
    base, revision = source.url.rstrip("/"), source.revision or "main"
    data = as_json(answer(client, f"{base}/api/models/{name}/revision/{quote(revision)}?blobs=true", headers))
    commit = str(data["sha"])
    files = [
        RemoteFile(
            path=str(each["rfilename"]),
            size=int(each["size"]),
            checksum=_huggingface_checksum(each),
            address=f"{base}/{name}/resolve/{commit}/{quote(each['rfilename'])}",
            headers=dict(headers),
        )
        for each in data["siblings"]
    ]
    return commit, str((data.get("cardData") or {}).get("license", "")), files


def _huggingface_checksum(each: dict[str, Any]) -> Checksum:
    large = each.get("lfs")
    return Checksum("sha256", str(large["sha256"])) if large else Checksum("git", str(each["blobId"]))


def _modelscope(
    source: HubSource, name: str, client: httpx.Client, headers: dict[str, str]
) -> tuple[str, str, list[RemoteFile]]:
    base, revision = f"{source.url.rstrip('/')}/api/v1/models/{name}", source.revision or "master"
    query = urlencode({"Revision": revision, "Recursive": "true"})
    listing = as_json(answer(client, f"{base}/repo/files?{query}", headers))["Data"]["Files"]
    about = as_json(answer(client, f"{base}?{urlencode({'Revision': revision})}", headers))["Data"]
    entries = [each for each in listing if each["Type"] == "blob"]
    files = [
        RemoteFile(
            path=str(each["Path"]),
            size=int(each["Size"]),
            checksum=Checksum("sha256", str(each["Sha256"])),
            address=f"{base}/repo?{_file_query(each, revision)}",
            headers=dict(headers),
        )
        for each in entries
    ]
    return revision, str(about.get("License") or ""), files


def _file_query(each: dict[str, Any], revision: str) -> str:
    return urlencode({"Revision": each.get("Revision") or revision, "FilePath": each["Path"]})


def _wanted(files: list[RemoteFile], pattern: str | None) -> Iterator[RemoteFile]:
    """Yield the files of a build: those of its pattern and the licence, or all that an engine reads."""
    safetensors = any(each.path.endswith(".safetensors") for each in files)
    left_out = (*_LEFT_OUT, *_PYTORCH) if safetensors else _LEFT_OUT
    for each in files:
        name = each.path.rsplit("/", 1)[-1]
        if pattern is not None:
            if fnmatch(each.path.lower(), pattern.lower()) or name.upper().startswith("LICENSE"):
                yield each
        elif not any(fnmatch(each.path, unwanted) for unwanted in left_out):
            yield each
