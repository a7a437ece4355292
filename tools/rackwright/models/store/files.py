"""What a model consists of: files with their checksums, and the manifest that the store keeps of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Protocol

from pydantic import AfterValidator, Field

from rackwright.errors import RackwrightError
from rackwright.site.variables import Strict

CHUNK = 2**20
SHA256 = r"^[0-9a-f]{64}$"


def relative_path(path: str) -> str:
    """Return a path that stays below a model's directory.

    Raises:
        ValueError: It does not.
    """
    pure = PurePosixPath(path)
    if not path or pure.is_absolute() or ".." in pure.parts or "\\" in path or str(pure) != path:
        raise ValueError(f"{path!r} is no path below a model's directory")
    return path


RelativePath = Annotated[str, AfterValidator(relative_path)]


@dataclass(frozen=True)
class Checksum:
    """What a file's content is checked against.

    Attributes:
        kind: `sha256`, or `git`: the name that git gives a small file, which is all that a hub tells of it.
        value: In hexadecimal digits.
    """

    kind: Literal["sha256", "git"]
    value: str


@dataclass(frozen=True)
class RemoteFile:
    """A file as a source offers it.

    Attributes:
        path: Below the model's directory.
        size: In bytes.
        checksum: Of its content.
        address: URL, or path of a local file.
        headers: To be sent when it is fetched.
    """

    path: str
    size: int
    checksum: Checksum
    address: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Listing:
    """What a source has of a model's build.

    Attributes:
        source: Kind of the source.
        name: Name there.
        revision: Commit or digest that these files are of.
        licence: As the source tells it; empty where it does not.
        files: All files.
    """

    source: str
    name: str
    revision: str
    licence: str
    files: tuple[RemoteFile, ...]


class StoredFile(Strict):
    """A file of a model in the store."""

    path: RelativePath
    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=SHA256)]


class Manifest(Strict):
    """What the store has of one build of a model; also the form of `manifest.json` in bundles and mirrors."""

    model: str
    quantisation: str
    source: str = Field(description="Kind of the source that it came from.")
    name: str = Field(description="Its name there.")
    revision: str
    licence: str = Field(description="Licence as group_vars/all/models.yml has it.")
    licence_of_source: str = Field(description="Licence as the source told it; empty where it did not.")
    files: Annotated[list[StoredFile], Field(min_length=1)]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(each.size for each in self.files)


class Hash(Protocol):
    """What hashlib makes."""

    def update(self, data: bytes, /) -> None:
        """Take more data."""

    def hexdigest(self) -> str:
        """Return the digest of all data so far."""
        ...


class Digests:
    """Computes a file's SHA-256, and the checksum of another kind where that is wanted, in one pass."""

    def __init__(self, checksum: Checksum, size: int) -> None:
        self._checksum = checksum
        self._sha256: Hash = hashlib.sha256()
        self._git: Hash | None = None
        if checksum.kind == "git":
            # Git's name of a file, not a safeguard against an attacker; that is TLS and the mirror.
            self._git = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)

    def update(self, data: bytes) -> None:
        """Take more of the file."""
        self._sha256.update(data)
        if self._git is not None:
            self._git.update(data)

    @property
    def sha256(self) -> str:
        """SHA-256 of what was taken."""
        return self._sha256.hexdigest()

    def matches(self) -> bool:
        """Tell whether the content is what the checksum says."""
        found = self._git if self._git is not None else self._sha256
        return found.hexdigest() == self._checksum.value


def chunks(path: Path) -> Iterator[bytes]:
    """Yield a file's content in pieces."""
    with path.open("rb") as stream:
        while data := stream.read(CHUNK):
            yield data


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256."""
    digest = hashlib.sha256()
    for data in chunks(path):
        digest.update(data)
    return digest.hexdigest()


class StoreError(RackwrightError):
    """Something about models' files that an operator can act upon."""
