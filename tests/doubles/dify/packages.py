"""A plugin's package as the daemon takes it: size, identity, signature (its pkg/plugin_packager)."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath

import yaml

# What a signature with SHA-256 begins with (RFC 8017, 9.2).
_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")
_NAME = re.compile(r"^[a-z0-9_-]{1,128}$")


class BadPackageError(Exception):
    """The daemon would refuse it; the text is what it would say."""


@dataclass(frozen=True)
class Opened:
    """A package that was read: its files in their order, who it is, and when it was signed by whom."""

    files: dict[str, bytes]
    manifest: dict[str, object]
    comment: bytes

    @property
    def plugin_id(self) -> str:
        """`author/name`."""
        return f"{self.manifest['author']}/{self.manifest['name']}"

    @property
    def identifier(self) -> str:
        """`author/name:version@checksum`."""
        data = b"".join(
            hashlib.sha256(name.encode()).digest() + hashlib.sha256(self.files[name]).digest()
            for name in sorted(self.files)
        )
        return f"{self.plugin_id}:{self.manifest['version']}@{hashlib.sha256(data).hexdigest()}"

    def signed_by(self, keys: list[tuple[int, int]]) -> bool:
        """Tell whether one of the keys has signed it."""
        try:
            told = json.loads(self.comment)
            signature = base64.b64decode(told["signature"])
            data = b"".join(hashlib.sha256(content).digest() for content in self.files.values())
            data += str(told["time"]).encode()
        except (ValueError, KeyError):
            return False
        return any(_verified(data, signature, key) for key in keys)


def opened(content: bytes, largest: int) -> Opened:
    """Read a package."""
    try:
        archive = zipfile.ZipFile(BytesIO(content))
    except zipfile.BadZipFile as error:
        raise BadPackageError(f"difypkg: {error}") from error
    if sum(info.file_size for info in archive.infolist()) > largest:
        raise BadPackageError(
            "plugin package size is too large, please ensure the uncompressed size is less than "
            f"{largest} bytes"
        )
    files = {info.filename: archive.read(info) for info in archive.infolist()}
    if "manifest.yaml" not in files:
        raise BadPackageError("manifest.yaml not found")
    manifest = yaml.safe_load(files["manifest.yaml"])
    for name in ("version", "type", "author", "name", "label", "created_at", "resource", "plugins", "meta"):
        if name not in manifest:
            raise BadPackageError(f"manifest.yaml: {name} is required")
    if not _NAME.match(str(manifest["name"])) or manifest["type"] != "plugin":
        raise BadPackageError("manifest.yaml: bad name or type")
    if manifest["meta"]["runner"]["language"] != "python":
        raise BadPackageError("manifest.yaml: the runner is not python")
    for name in files:
        if ".." in PurePosixPath(name).parts or name.startswith("/"):
            raise BadPackageError(f"illegal file path in plugin package: {name!r}")
    return Opened(files, manifest, archive.comment)


def read_key(path: Path) -> tuple[int, int]:
    """Read a public key (PEM, PKCS#1): modulus and exponent."""
    text = path.read_text(encoding="ascii")
    body = re.fullmatch(
        r"-----BEGIN RSA PUBLIC KEY-----\n(.+)-----END RSA PUBLIC KEY-----\n?", text, re.DOTALL
    )
    if body is None:
        raise BadPackageError("failed to decode PEM block containing public key")
    data = base64.b64decode(body[1])
    _, inside, _ = _part(data)
    _, modulus, rest = _part(inside)
    _, exponent, _ = _part(rest)
    return int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")


def _part(data: bytes) -> tuple[int, bytes, bytes]:
    size, start = data[1], 2
    if size & 0x80:
        start += size & 0x7F
        size = int.from_bytes(data[2:start], "big")
    return data[0], data[start : start + size], data[start + size :]


def _verified(data: bytes, signature: bytes, key: tuple[int, int]) -> bool:
    modulus, exponent = key
    width = (modulus.bit_length() + 7) // 8
    shown = pow(int.from_bytes(signature, "big"), exponent, modulus).to_bytes(width, "big")
    digest = _SHA256 + hashlib.sha256(data).digest()
    return shown == b"\x00\x01" + b"\xff" * (width - len(digest) - 3) + b"\x00" + digest
