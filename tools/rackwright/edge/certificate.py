"""Whether a certificate that an operator gives can serve the edge: looked at on the controller."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

_SMALLEST_RSA_BITS = 2048


def problems(
    settings: Mapping[str, str], names: Sequence[str], variable: str, now: datetime | None = None
) -> list[str]:
    """Return everything that stands in the way, one sentence each; empty when it can serve.

    Args:
        settings: `certificate` (PEM, the server's own first, then its chain) and `key` (PEM).
        names: The host names that it must cover.
        variable: How messages call the settings.
        now: For tests.
    """
    return list(_problems(settings, names, variable, now or datetime.now(UTC)))


def _problems(
    settings: Mapping[str, str], names: Sequence[str], variable: str, now: datetime
) -> Iterator[str]:
    chain, key = _chain(settings.get("certificate", "")), _key(settings.get("key", ""))
    if not chain:
        yield (
            f"{variable}.certificate: it holds no certificate; name a PEM file with the server's "
            "certificate first and its chain after it"
        )
    if key is None:
        yield (
            f"{variable}.key: it holds no readable private key; name a PEM file without a passphrase "
            "(encrypt the file itself with ansible-vault)"
        )
    if chain and key is not None and _spki(key.public_key()) != _spki(chain[0].public_key()):
        yield (
            f"{variable}.key: it is not the key of {chain[0].subject.rfc4514_string()}; name the key that "
            "the certificate was asked with, and put the server's certificate first"
        )
    if chain:
        yield from _leaf_problems(chain[0], names, variable, now)
        yield from _chain_problems(chain, variable)


def _leaf_problems(
    leaf: x509.Certificate, names: Sequence[str], variable: str, now: datetime
) -> Iterator[str]:
    if leaf.not_valid_after_utc <= now:
        yield (
            f"{variable}.certificate: it expired on {leaf.not_valid_after_utc:%Y-%m-%d}; have it renewed and "
            "name the new file"
        )
    if leaf.not_valid_before_utc > now:
        yield (
            f"{variable}.certificate: it is valid only from {leaf.not_valid_before_utc:%Y-%m-%d}; look at "
            "the clock here, or wait"
        )
    covered = _names(leaf)
    missing = [name for name in names if not _covers(name, covered)]
    if missing:
        yield (
            f"{variable}.certificate: it is for {', '.join(covered) or 'no name'} and not for "
            f"{', '.join(missing)}; have it issued with these names, or with a wildcard"
        )
    public = leaf.public_key()
    if isinstance(public, rsa.RSAPublicKey) and public.key_size < _SMALLEST_RSA_BITS:
        yield (
            f"{variable}.certificate: its RSA key has {public.key_size} bits, too few; have it issued for "
            "a key of 2048 bits or more, or an elliptic one"
        )


def _chain_problems(chain: Sequence[x509.Certificate], variable: str) -> Iterator[str]:
    for issued, issuer in pairwise(chain):
        try:
            issued.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            yield (
                f"{variable}.certificate: {issuer.subject.rfc4514_string()} did not sign "
                f"{issued.subject.rfc4514_string()}, after which it stands; order the file from the server's "
                "certificate up to, and without, the root"
            )


def _spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _chain(text: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        return []


def _key(text: str) -> PrivateKeyTypes | None:
    try:
        return serialization.load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError):
        return None


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return [name.lower() for name in extension.value.get_values_for_type(x509.DNSName)]


def _covers(name: str, covered: Sequence[str]) -> bool:
    _, _, parent = name.partition(".")
    return name in covered or f"*.{parent}" in covered
