"""Whether a certificate that is given can serve: every reason against it is told, with what to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from rackwright.edge.certificate import problems

NOW = datetime(2026, 6, 1, tzinfo=UTC)
NAMES = ["api.example.internal", "ai.example.internal"]
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
AUTHORITY, SERVER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())


def certificate(
    key: Key = SERVER,
    names: list[str] | None = None,
    days: tuple[int, int] = (-1, 90),
    signer: Key = AUTHORITY,
    subject: str = "server",
) -> str:
    """Return a certificate as PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
    listed = [x509.DNSName(item) for item in NAMES if names is None] or [x509.DNSName(n) for n in names or []]
    builder = (
        x509.CertificateBuilder()
        .subject_name(name if subject != "authority" else issuer)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days=days[0]))
        .not_valid_after(NOW + timedelta(days=days[1]))
        .add_extension(x509.SubjectAlternativeName(listed), critical=False)
    )
    return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def private(key: Key, password: bytes | None = None) -> str:
    """Return a key as PEM."""
    lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock).decode()


def told(text: str, key: str = "", names: list[str] | None = None) -> list[str]:
    """Return what is said of a certificate."""
    given = {"certificate": text, "key": key or private(SERVER)}
    return problems(given, names or NAMES, "edge_tls", NOW)


def test_a_good_one_passes_with_its_chain_and_as_a_wildcard() -> None:
    chain = certificate() + certificate(AUTHORITY, subject="authority")

    assert told(chain) == []
    assert told(certificate(names=["*.example.internal"])) == []


@pytest.mark.parametrize(
    ("text", "key", "word"),
    [
        ("", "", "holds no certificate"),
        ("no PEM", "", "holds no certificate"),
        (certificate(), "no PEM", "no readable private key"),
        (certificate(), private(SERVER, b"secret"), "without a passphrase"),
        (certificate(), private(AUTHORITY), "it is not the key of"),
        (certificate(days=(-90, -1)), "", "it expired on 2026-05-31"),
        (certificate(days=(5, 90)), "", "valid only from 2026-06-06"),
        (certificate(names=["api.example.internal"]), "", "not for ai.example.internal"),
        (certificate(names=["*.internal"]), "", "not for api.example.internal"),
        (certificate() + certificate(SERVER, subject="other"), "", "did not sign"),
    ],
)
def test_each_reason_is_told_with_what_to_do(text: str, key: str, word: str) -> None:
    found = told(text, key)

    assert any(word in problem for problem in found), found
    assert all(problem.startswith("edge_tls.") and "; " in problem for problem in found)


def test_a_short_rsa_key_is_refused() -> None:
    short = rsa.generate_private_key(65537, 1024)  # noqa: S505 - to be refused

    assert any("1024 bits" in problem for problem in told(certificate(short), private(short)))
