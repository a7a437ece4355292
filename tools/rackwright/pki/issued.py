"""What the certificate authority has issued, so that expiry is known without asking a host."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509

from rackwright.errors import RackwrightError
from rackwright.pki.authority import Authority, chain_pem
from rackwright.pki.request import subject_names
from rackwright.secrets.atomic import write_atomically

# Hosts renew what has less left than this, at the next run.
RENEW_DAYS = 30


@dataclass(frozen=True)
class IssuedCertificate:
    """A certificate, and where it went.

    Attributes:
        host: Inventory name of the host; empty for the CA itself.
        service: The catalogue's name of the service; `ca` for the CA.
        certificate: The certificate.
    """

    host: str
    service: str
    certificate: x509.Certificate

    @property
    def not_after(self) -> datetime:
        """Return the end of its validity (UTC)."""
        return self.certificate.not_valid_after_utc

    @property
    def names(self) -> list[str]:
        """Return the addresses and host names it is for, sorted; the CA's own name for the CA."""
        addresses, names = subject_names(self.certificate)
        return sorted(addresses) + sorted(names) or [self.certificate.subject.rfc4514_string()]

    def days_left(self, now: datetime | None = None) -> int:
        """Return whole days until it expires; negative when it has."""
        return (self.not_after - (now or datetime.now(UTC))).days

    def state(self, now: datetime | None = None) -> str:
        """Return `valid`, `due` (the next run renews it) or `expired`."""
        left = self.not_after - (now or datetime.now(UTC))
        if left.total_seconds() <= 0:
            return "expired"
        return "due" if left.days < RENEW_DAYS else "valid"


def record(authority: Authority, host: str, service: str, certificate: x509.Certificate) -> None:
    """Remember the certificate that `host` has now; it replaces the one it had before."""
    directory = authority.directory / "issued" / host
    directory.mkdir(parents=True, exist_ok=True)
    write_atomically(directory / f"{service}.pem", chain_pem([certificate]).encode(), 0o644)


def issued(authority: Authority) -> list[IssuedCertificate]:
    """Return the CA's certificate and all that it issued and that are in use, by host and service.

    Raises:
        RackwrightError: The site has no CA, or a recorded file is no certificate.
    """
    found = [IssuedCertificate("", "ca", authority.certificate())]
    for path in sorted((authority.directory / "issued").glob("*/*.pem")):
        try:
            certificate = x509.load_pem_x509_certificate(path.read_bytes())
        except ValueError as error:
            raise RackwrightError(
                f"{path} is no certificate",
                hint="remove it; the next run of the site records it again when due",
            ) from error
        found.append(IssuedCertificate(path.parent.name, path.stem, certificate))
    return found


def find(authority: Authority, host: str, service: str) -> IssuedCertificate:
    """Return the certificate of a service on a host; `ca` and an empty host for the CA's own.

    Raises:
        RackwrightError: None was issued.
    """
    everything = issued(authority)
    for item in everything:
        if (item.host, item.service) == (host, service):
            return item
    known = ", ".join(f"{item.host} {item.service}" for item in everything if item.host) or "none yet"
    raise RackwrightError(f"no certificate for {service} on {host}", hint=f"issued: {known}", exit_code=2)
