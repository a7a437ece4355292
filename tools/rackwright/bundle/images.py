"""Container images by digest: each manifest and each part of it as the registry has it, byte for byte."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from rackwright.bundle.fetch import Job
from rackwright.bundle.manifest import BundleError, Entry

_REFERENCE = re.compile(r"(?P<name>[^@\s]+)@sha256:(?P<digest>[0-9a-f]{64})")
_TAG = re.compile(r":[\w][\w.-]*$")
_BEARER = re.compile(r'(\w+)="([^"]*)"')
_ACCEPT = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_UNAUTHORISED = 401
_OK = 200
DOCKER_HUB = "docker.io"
_HUB_ADDRESS = "registry-1.docker.io"


@dataclass(frozen=True)
class Reference:
    """An image's pinned name.

    Attributes:
        registry: Host of its registry.
        repository: Its path there.
        digest: SHA-256 of its manifest or index.
    """

    registry: str
    repository: str
    digest: str

    @property
    def text(self) -> str:
        """As it is written in full."""
        return f"{self.registry}/{self.repository}@sha256:{self.digest}"


def parse(text: str) -> Reference:
    """Return the parts of `registry/name@sha256:…`; a name without a registry is Docker Hub's.

    Raises:
        BundleError: It is not pinned by a digest.
    """
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise BundleError(f"image {text!r}: only an image with a digest can be carried", hint="name@sha256:…")
    first, _, rest = match["name"].partition("/")
    if rest and ("." in first or ":" in first or first == "localhost"):
        return Reference(first, _TAG.sub("", rest), match["digest"])
    name = _TAG.sub("", match["name"])
    return Reference(DOCKER_HUB, name if "/" in name else f"library/{name}", match["digest"])


@dataclass(frozen=True)
class Part:
    """A manifest, an image's settings or a layer.

    Attributes:
        digest: SHA-256 of it.
        size: In bytes.
        media_type: What the registry calls it.
        content: Of manifests, which are read; None of the rest, which is fetched.
    """

    digest: str
    size: int
    media_type: str
    content: bytes | None = None


class Registry:
    """A registry, by the distribution protocol; logs in as anybody where it is asked to."""

    def __init__(self, client: httpx.Client, reference: Reference, registries: Mapping[str, str]) -> None:
        """Take what is asked.

        Args:
            client: What asks.
            reference: The image.
            registries: What a profile asks in the place of a registry; `*` for all others.
        """
        self._client = client
        instead = registries.get(reference.registry)
        if instead is None and registries.get("*"):
            instead = f"{registries['*']}/{reference.registry.replace(':', '_')}"
        host = instead or (_HUB_ADDRESS if reference.registry == DOCKER_HUB else reference.registry)
        base, _, prefix = host.partition("/")
        scheme = "http" if base.startswith(("localhost:", "127.0.0.1:")) else "https"
        path = f"{prefix}/{reference.repository}" if prefix else reference.repository
        self._base = f"{scheme}://{base}/v2/{path}"
        self.headers: dict[str, str] = {}

    def blob_address(self, digest: str) -> str:
        """Return where a part is fetched."""
        return f"{self._base}/blobs/sha256:{digest}"

    def manifest(self, digest: str) -> Part:
        """Return a manifest or an index.

        Raises:
            BundleError: The registry has none of this digest.
        """
        address = f"{self._base}/manifests/sha256:{digest}"
        response = self._client.get(address, headers={"Accept": _ACCEPT, **self.headers})
        if response.status_code == _UNAUTHORISED:
            self._log_in(response)
            response = self._client.get(address, headers={"Accept": _ACCEPT, **self.headers})
        if response.status_code != _OK:
            raise BundleError(f"{address}: the registry answers {response.status_code}")
        media_type = response.headers.get("Content-Type", "").partition(";")[0]
        return Part(digest, len(response.content), media_type, response.content)

    def _log_in(self, response: httpx.Response) -> None:
        challenge = dict(_BEARER.findall(response.headers.get("WWW-Authenticate", "")))
        realm = challenge.pop("realm", "")
        if not realm:
            raise BundleError(f"{response.url}: the registry wants a log-in of a kind that is not known")
        answer = self._client.get(realm, params=challenge)
        token = (
            answer.json().get("token") or answer.json().get("access_token")
            if answer.status_code == _OK
            else ""
        )
        if not token:
            raise BundleError(f"{realm}: gives anybody no token for {challenge.get('scope', 'this image')}")
        self.headers = {"Authorization": f"Bearer {token}"}


def parts(registry: Registry, digest: str, machines: frozenset[str]) -> Iterator[Part]:
    """Yield all parts of an image for these machines, manifests before what they name.

    Args:
        registry: Where it is.
        digest: Of its manifest, or of the index of those of several machines.
        machines: Architectures as images name them, `amd64`; of an index only those are taken.

    Raises:
        BundleError: Something has another content than its digest says, or there is none for a machine.
    """
    top = _checked(registry.manifest(digest))
    document: dict[str, Any] = json.loads(top.content or b"")
    yield top
    if "manifests" in document:
        chosen = [
            each for each in document["manifests"] if each.get("platform", {}).get("architecture") in machines
        ]
        lacking = machines - {each["platform"]["architecture"] for each in chosen}
        if lacking:
            raise BundleError(f"sha256:{digest}: the image is not there for {', '.join(sorted(lacking))}")
        for each in chosen:
            yield from parts(registry, _digest(each), machines)
        return
    for each in (document["config"], *document.get("layers", ())):
        if not each.get("urls"):
            yield Part(_digest(each), int(each["size"]), str(each["mediaType"]))


def jobs_and_entries(
    registry: Registry, reference: Reference, found: list[Part]
) -> tuple[list[Job], list[Entry]]:
    """Return what has to be fetched of an image's parts, and their entries in the manifest."""
    jobs = [
        Job(
            part.digest, part.size, registry.blob_address(part.digest), reference.repository, registry.headers
        )
        for part in found
        if part.content is None
    ]
    return jobs, [entry_of(part, reference.text) for part in found]


def entry_of(part: Part, name: str) -> Entry:
    """Return a part's entry; manifests keep what they are, since a registry must say it."""
    folder = "manifests" if part.content is not None else "blobs"
    return Entry(
        path=f"images/{folder}/{part.digest}",
        sha256=part.digest,
        size=part.size,
        kind="image",
        name=name,
        version=f"sha256:{part.digest}",
        source=name,
    )


def _checked(part: Part) -> Part:
    if hashlib.sha256(part.content or b"").hexdigest() != part.digest:
        raise BundleError(f"sha256:{part.digest}: the registry gives another content")
    return part


def _digest(descriptor: Mapping[str, Any]) -> str:
    kind, _, digest = str(descriptor["digest"]).partition(":")
    if kind != "sha256":
        raise BundleError(f"{descriptor['digest']}: only SHA-256 can be carried")
    return digest


def types_map(found: Iterable[Part]) -> bytes:
    """Return what a web server needs to serve images: the kind of each manifest, as lines of an nginx map."""
    kinds = {part.digest: part.media_type for part in found if part.content is not None}
    return "".join(f"{digest} {kind};\n" for digest, kind in sorted(kinds.items())).encode()
