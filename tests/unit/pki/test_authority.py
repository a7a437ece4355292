import ipaddress
import multiprocessing
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store

from rackwright.errors import RackwrightError
from rackwright.pki.authority import Authority, is_issued_by
from rackwright.pki.issued import IssuedCertificate, find, issued, record
from rackwright.pki.request import RequestedCertificate, subject_names

PASSPHRASE = "correct horse battery staple"
WANTED = RequestedCertificate(
    service="postgresql",
    group="postgres",
    addresses=("10.77.30.11", "fd00::11"),
    names=("data1", "data1.lab.internal"),
)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority(tmp_path / "pki")
    authority.ensure(PASSPHRASE)
    return authority


def csr(
    addresses: tuple[str, ...] = WANTED.addresses,
    names: tuple[str, ...] = WANTED.names,
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
    extra: tuple[x509.GeneralName, ...] = (),
) -> str:
    general = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    alternatives = x509.SubjectAlternativeName([*general, *map(x509.DNSName, names), *extra])
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "postgresql")])
    )
    signed = builder.add_extension(alternatives, critical=False).sign(
        key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()
    )
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def test_the_authority_is_made_once(authority: Authority) -> None:
    before = (authority.certificate_path.read_bytes(), authority.key_path.read_bytes())

    authority.ensure(PASSPHRASE)

    assert (authority.certificate_path.read_bytes(), authority.key_path.read_bytes()) == before


def test_the_authority_is_what_the_design_says(authority: Authority) -> None:
    certificate = authority.certificate()
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)

    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 0)
    assert usage.critical
    assert usage.value.key_cert_sign
    assert not usage.value.digital_signature
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    assert (certificate.not_valid_after_utc - datetime.now(UTC)).days in {3649, 3650}


def test_the_key_is_encrypted_and_for_its_owner_only(authority: Authority) -> None:
    assert authority.key_path.read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert stat.S_IMODE(authority.key_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(authority.certificate_path.stat().st_mode) == 0o644
    with pytest.raises(ValueError, match=r"(?i)password|decrypt"):
        serialization.load_pem_private_key(authority.key_path.read_bytes(), b"another")


def test_a_signed_certificate_satisfies_a_strict_client(authority: Authority) -> None:
    certificate = authority.sign(csr(), WANTED, PASSPHRASE)

    verifier = PolicyBuilder().store(Store([authority.certificate()]))
    for name in (x509.DNSName("data1.lab.internal"), x509.IPAddress(ipaddress.ip_address("10.77.30.11"))):
        assert verifier.build_server_verifier(name).verify(certificate, [])
    assert subject_names(certificate) == (set(WANTED.addresses), set(WANTED.names))
    assert (certificate.not_valid_after_utc - datetime.now(UTC)).days == 396
    assert is_issued_by(certificate, authority.certificate())


def test_the_certificate_serves_a_real_tls_connection(authority: Authority, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = authority.sign(csr(key=key), WANTED, PASSPHRASE)
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    (tmp_path / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    client_context = ssl.create_default_context(cafile=str(authority.certificate_path))
    client_context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT

    def handshake(name: str) -> None:
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = server_context.wrap_bio(to_server, to_client, server_side=True)
        client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
        for _ in range(4):
            for end in (client, server):
                try:
                    end.do_handshake()
                except ssl.SSLWantReadError:
                    continue

    handshake("data1")
    handshake("10.77.30.11")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake("data2")


@pytest.mark.parametrize(
    ("request_pem", "complaint"),
    [
        (csr(names=("data1", "evil.example")), "asks for .*evil.example"),
        (csr(names=("data1",)), "the plan gives"),
        (csr(addresses=("10.77.30.11",)), "the plan gives"),
        (csr(extra=(x509.RFC822Name("root@data1"),)), "asks for"),
        (csr(key=ec.generate_private_key(ec.SECP384R1())), "P-256"),
        (csr(key=rsa.generate_private_key(65537, 2048)), "P-256"),
        ("no request", "not readable"),
    ],
)
def test_a_request_for_something_else_is_refused(
    authority: Authority, request_pem: str, complaint: str
) -> None:
    with pytest.raises(RackwrightError, match=complaint):
        authority.sign(request_pem, WANTED, PASSPHRASE)


def test_a_request_with_a_broken_signature_is_refused(authority: Authority) -> None:
    parsed = x509.load_pem_x509_csr(csr().encode())
    encoded = bytearray(parsed.public_bytes(serialization.Encoding.DER))
    encoded[-1] ^= 1
    forged = ssl.DER_cert_to_PEM_cert(bytes(encoded)).replace("CERTIFICATE", "CERTIFICATE REQUEST")

    with pytest.raises(RackwrightError, match=r"signature does not hold|not readable"):
        authority.sign(forged, WANTED, PASSPHRASE)


def test_the_wrong_passphrase_is_refused_with_a_hint(authority: Authority) -> None:
    with pytest.raises(RackwrightError, match="does not open") as refused:
        authority.sign(csr(), WANTED, "wrong")
    assert "same backup" in (refused.value.hint or "")


def test_an_empty_passphrase_makes_no_authority(tmp_path: Path) -> None:
    with pytest.raises(RackwrightError, match="is empty"):
        Authority(tmp_path / "pki").ensure("")
    assert not (tmp_path / "pki").exists()


def test_a_key_of_another_authority_is_refused(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    other.ensure(PASSPHRASE)
    authority.key_path.write_bytes(other.key_path.read_bytes())

    with pytest.raises(RackwrightError, match="is not the key of"):
        authority.sign(csr(), WANTED, PASSPHRASE)


def test_a_run_killed_between_key_and_certificate_is_mended(authority: Authority) -> None:
    key = authority.key_path.read_bytes()
    authority.certificate_path.unlink()

    authority.ensure(PASSPHRASE)

    assert authority.key_path.read_bytes() == key
    assert is_issued_by(authority.sign(csr(), WANTED, PASSPHRASE), authority.certificate())


def _ensured(directory: Path) -> bytes:
    Authority(directory).ensure(PASSPHRASE)
    return (directory / "ca.pem").read_bytes()


def test_many_hosts_at_once_get_one_authority(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        seen = pool.map(_ensured, [tmp_path / "pki"] * 8)

    assert len(set(seen)) == 1


def test_a_changed_passphrase_opens_the_same_key(authority: Authority) -> None:
    before = authority.certificate()

    with authority.passphrase_changed(PASSPHRASE, "new"):
        pass

    assert is_issued_by(authority.sign(csr(), WANTED, "new"), before)
    with pytest.raises(RackwrightError, match="does not open"):
        authority.sign(csr(), WANTED, PASSPHRASE)


def test_a_passphrase_that_could_not_be_stored_leaves_the_old_one_good(authority: Authority) -> None:
    with pytest.raises(OSError, match="full"), authority.passphrase_changed(PASSPHRASE, "new"):
        raise OSError("disk full")

    authority.sign(csr(), WANTED, PASSPHRASE)


def test_a_crash_after_the_passphrase_was_stored_leaves_the_new_one_good(authority: Authority) -> None:
    with pytest.raises(OSError, match="killed"), authority.passphrase_changed(PASSPHRASE, "new"):
        raise OSError("killed just after the vault was written")

    authority.sign(csr(), WANTED, "new")
    authority.sign(csr(), WANTED, "new")
    with pytest.raises(RackwrightError, match="does not open"):
        authority.sign(csr(), WANTED, PASSPHRASE)


def test_issued_certificates_are_known_with_their_expiry(authority: Authority) -> None:
    certificate = authority.sign(csr(), WANTED, PASSPHRASE, days=20)
    record(authority, "data1", "postgresql", certificate)

    ca, item = issued(authority)

    assert (ca.host, ca.service, ca.state()) == ("", "ca", "valid")
    assert (item.host, item.service, item.days_left(), item.state()) == ("data1", "postgresql", 19, "due")
    assert item.state(datetime.now(UTC) + timedelta(days=21)) == "expired"
    assert item.names == ["10.77.30.11", "fd00::11", "data1", "data1.lab.internal"]
    assert find(authority, "data1", "postgresql") == IssuedCertificate("data1", "postgresql", certificate)
    with pytest.raises(RackwrightError) as refused:
        find(authority, "data1", "redis")
    assert refused.value.hint == "issued: data1 postgresql"


def test_a_site_without_an_authority_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RackwrightError) as refused:
        issued(Authority(tmp_path))
    assert "apply the site" in (refused.value.hint or "")


@pytest.mark.parametrize(
    "change",
    [
        {"names": ()},
        {"names": ("Data1",)},
        {"names": ("-data1",)},
        {"names": ("a,DNS:evil",)},
        {"addresses": ("10.77.30",)},
        {"service": "../etc"},
        {"group": "a b"},
        {"mode": "0644"},
    ],
)
def test_an_unsound_entry_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        RequestedCertificate.model_validate({**WANTED.model_dump(), **change})


def test_a_name_too_long_for_the_subject_is_left_to_the_alternatives() -> None:
    long = "a" * 60 + ".example"
    assert RequestedCertificate(service="nginx", names=(long, "short.example")).common_name == "short.example"
    assert RequestedCertificate(service="nginx", names=(long,)).common_name == "nginx"
