"""The certificate authority of a site: two files, `ca.pem` and the encrypted `ca.key.pem`."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from rackwright.errors import RackwrightError
from rackwright.pki.request import RequestedCertificate, checked_request
from rackwright.secrets.atomic import locked, sync_directory, write_atomically

CA_DAYS = 3650
# What the strictest clients still accept of a certificate is 398 days.
LEAF_DAYS = 397
# A host whose clock is a little behind must accept a certificate that was made this moment.
_CLOCK_SKEW = timedelta(minutes=10)


@dataclass(frozen=True)
class Authority:
    """The certificate authority whose files are in `directory` (a site's `pki`).

    Attributes:
        directory: Holds ca.pem (0644) and ca.key.pem (PKCS#8, encrypted, 0600).
    """

    directory: Path

    @property
    def certificate_path(self) -> Path:
        """Return the path of the CA's certificate: what clients must trust."""
        return self.directory / "ca.pem"

    @property
    def key_path(self) -> Path:
        """Return the path of the CA's encrypted key."""
        return self.directory / "ca.key.pem"

    @property
    def _next_key_path(self) -> Path:
        return self.directory / ".ca.key.pem.next"

    def exists(self) -> bool:
        """Return whether the CA was made."""
        return self.certificate_path.exists()

    def certificate(self) -> x509.Certificate:
        """Return the CA's certificate.

        Raises:
            RackwrightError: It is missing or no certificate.
        """
        try:
            return x509.load_pem_x509_certificate(self.certificate_path.read_bytes())
        except (OSError, ValueError) as error:
            raise RackwrightError(
                f"the site's CA certificate {self.certificate_path} cannot be read: {error}",
                hint="apply the site once to make the CA, or restore the pki directory from your backup",
            ) from error

    def ensure(self, passphrase: str) -> x509.Certificate:
        """Return the CA's certificate; make key and certificate first where the site has none.

        Several hosts may ask at once: the directory's lock lets one of them make it. A key without a
        certificate (a run that was killed between the two) gets its certificate.

        Raises:
            RackwrightError: The passphrase is missing or does not open the key.
        """
        _require_passphrase(passphrase)
        if self.exists():
            return self.certificate()
        self.directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        with locked(self.directory):
            if self.exists():
                return self.certificate()
            if not self.key_path.exists():
                write_atomically(
                    self.key_path, _encrypted(ec.generate_private_key(ec.SECP256R1()), passphrase), 0o600
                )
            certificate = _self_signed(self._key(passphrase))
            write_atomically(
                self.certificate_path, certificate.public_bytes(serialization.Encoding.PEM), 0o644
            )
            return certificate

    def sign(
        self, csr_pem: str, wanted: RequestedCertificate, passphrase: str, days: int = LEAF_DAYS
    ) -> x509.Certificate:
        """Return a certificate for the key of a request.

        Args:
            csr_pem: The request (PEM), made on the host, signed by the host's new key.
            wanted: What was asked for; the request must say exactly these addresses and names.
            passphrase: Opens the CA's key.
            days: Validity; never beyond the CA's own.

        Raises:
            RackwrightError: The request is not sound or asks for something else, or the CA cannot sign.
        """
        request = checked_request(csr_pem, wanted)
        issuer = self.certificate()
        key = self._key(passphrase)
        if key.public_key() != issuer.public_key():
            raise RackwrightError(
                f"{self.key_path} is not the key of {self.certificate_path}",
                hint="restore both files from the same backup",
            )
        now = datetime.now(UTC)
        if issuer.not_valid_after_utc <= now:
            raise RackwrightError(
                f"the site's CA expired at {issuer.not_valid_after_utc:%Y-%m-%d}",
                hint=f"move {self.directory} away and apply the site: a new CA and all certificates are made",
            )
        names = [x509.IPAddress(ipaddress.ip_address(address)) for address in wanted.addresses]
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, wanted.common_name)]))
            .issuer_name(issuer.subject)
            .public_key(request.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _CLOCK_SKEW)
            .not_valid_after(min(now + timedelta(days=days), issuer.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage(wanted.purposes), critical=False)
            .add_extension(
                x509.SubjectAlternativeName([*names, *map(x509.DNSName, wanted.names)]), critical=False
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(request.public_key()), critical=False)
            .add_extension(_authority_identifier(issuer), critical=False)
            .sign(key, hashes.SHA256())
        )

    def attest(self, text: bytes, passphrase: str) -> bytes:
        """Return the site's signature (ECDSA with SHA-256, DER) of a document.

        Raises:
            RackwrightError: The passphrase is missing or does not open the key.
        """
        return self._key(passphrase).sign(text, ec.ECDSA(hashes.SHA256()))

    def attested(self, text: bytes, signature: bytes) -> bool:
        """Return whether a signature is the site's own of this document."""
        key = self.certificate().public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            return False
        try:
            key.verify(signature, text, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True

    @contextmanager
    def passphrase_changed(self, old: str, new: str) -> Iterator[None]:
        """Encrypt the CA's key anew; inside the block the caller stores the new passphrase.

        A crash before, inside or after the block leaves a key that the stored passphrase opens: the key
        lies under both passphrases until the block ends well, and `_key` takes the one that opens.

        Raises:
            RackwrightError: `old` does not open the key.
        """
        if not self.key_path.exists():
            yield
            return
        with locked(self.directory):
            write_atomically(self._next_key_path, _encrypted(self._key(old), new), 0o600)
            yield
            self._promote()

    def _key(self, passphrase: str) -> ec.EllipticCurvePrivateKey:
        _require_passphrase(passphrase)
        try:
            return _decrypted(self.key_path, passphrase)
        except ValueError as error:
            if self._next_key_path.exists():
                try:
                    key = _decrypted(self._next_key_path, passphrase)
                except ValueError:
                    pass
                else:
                    self._promote()
                    return key
            raise RackwrightError(
                f"vault_ca_passphrase does not open {self.key_path}",
                hint="restore the vault and the pki directory from the same backup, or move the pki "
                "directory away: a new CA and all certificates are then made",
            ) from error
        except OSError as error:
            raise RackwrightError(
                f"the key of the site's CA cannot be read: {self.key_path}: {error.strerror}",
                hint="restore it from your backup; without it no certificate can be renewed",
            ) from error

    def _promote(self) -> None:
        self._next_key_path.replace(self.key_path)
        sync_directory(self.directory)


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Return whether `issuer` signed `certificate`; validity periods are not looked at."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def chain_pem(certificates: Sequence[x509.Certificate]) -> str:
    """Return certificates as PEM, in the given order."""
    return "".join(item.public_bytes(serialization.Encoding.PEM).decode() for item in certificates)


def _require_passphrase(passphrase: str) -> None:
    if not passphrase:
        raise RackwrightError(
            "vault_ca_passphrase is empty", hint="rackwright secrets init -i <inventory> draws one"
        )


def _encrypted(key: ec.EllipticCurvePrivateKey, passphrase: str) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase.encode()),
    )


def _decrypted(path: Path, passphrase: str) -> ec.EllipticCurvePrivateKey:
    """Return the key in `path`; ValueError when the passphrase does not open it or it is of another kind."""
    key = serialization.load_pem_private_key(path.read_bytes(), passphrase.encode())
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{path} holds no elliptic-curve key")  # noqa: TRY004 - callers handle one kind
    return key


def _self_signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    public = key.public_key()
    encoded = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    # Two CAs of one site, made one after the other, must not share a name: clients pick issuers by name.
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Rackwright"),
            x509.NameAttribute(
                NameOID.COMMON_NAME, f"Rackwright CA {hashlib.sha256(encoded).hexdigest()[:12]}"
            ),
        ]
    )
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )


def _usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _authority_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)
