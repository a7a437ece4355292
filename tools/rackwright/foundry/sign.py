"""Signatures of packages, as the plugin daemon makes and verifies them: RSA (PKCS#1 v1.5) with SHA-256.

What is signed is the checksums of all files in the archive's order, and the time; both stand as JSON in the
archive's comment. The daemon takes keys as PEM in the form of PKCS#1, and no other.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from rackwright.errors import RackwrightError
from rackwright.foundry.package import Plugin
from rackwright.wheelhouse.archive import EPOCH

_BITS = 4096
_PEM = serialization.Encoding.PEM


def new_key(path: Path) -> rsa.RSAPrivateKey:
    """Make a private key and write it, for its owner's eyes alone."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    text = key.private_bytes(
        _PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as writer:
        writer.write(text)
    return key


def read_key(path: Path) -> rsa.RSAPrivateKey:
    """Read a private key.

    Raises:
        RackwrightError: It is none, or not of RSA.
    """
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise RackwrightError(f"{path}: {error}", hint="an RSA key in PEM, without a passphrase") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise RackwrightError(f"{path}: it is no RSA key, and the plugin daemon knows no other")
    return key


def public_text(key: rsa.RSAPrivateKey) -> str:
    """Return the public key as the daemon reads it."""
    return key.public_key().public_bytes(_PEM, serialization.PublicFormat.PKCS1).decode()


def read_public_key(path: Path) -> rsa.RSAPublicKey:
    """Read a public key.

    Raises:
        RackwrightError: It is none.
    """
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise RackwrightError(f"{path}: {error}", hint="an RSA public key in PEM") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise RackwrightError(f"{path}: it is no RSA key")
    return key


def _signed(files: Mapping[str, bytes], time: int) -> bytes:
    return b"".join(hashlib.sha256(content).digest() for content in files.values()) + str(time).encode()


def comment(files: Mapping[str, bytes], key: rsa.RSAPrivateKey, time: int = EPOCH) -> bytes:
    """Return the archive's comment that signs its files; the same files and key make the same one."""
    signature = key.sign(_signed(files, time), padding.PKCS1v15(), hashes.SHA256())
    return json.dumps({"signature": base64.b64encode(signature).decode(), "time": time}).encode()


def is_signed_by(plugin: Plugin, key: rsa.RSAPublicKey) -> bool:
    """Tell whether a key has signed a package."""
    try:
        told = json.loads(plugin.comment)
        signature, time = base64.b64decode(told["signature"]), int(told["time"])
        key.verify(signature, _signed(plugin.files, time), padding.PKCS1v15(), hashes.SHA256())
    except (ValueError, KeyError, TypeError, InvalidSignature):
        return False
    return True
