"""What a host asks the certificate authority for, and whether its request says the same."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from rackwright.errors import RackwrightError

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_LONGEST_NAME = 253
_LONGEST_COMMON_NAME = 64


def _host_name(name: str) -> str:
    if len(name) > _LONGEST_NAME or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError(f"{name!r} is no host name in lower case")
    return name


def _address(text: str) -> str:
    return str(ip_address(text))


class RequestedCertificate(BaseModel):
    """A certificate that a service needs: one entry of `host_plan.certificates`.

    Attributes:
        service: The catalogue's name of the service; names the directory on the host.
        owner: User that owns the key.
        group: Group that may read the key; or its number, for a container.
        addresses: IP addresses in the certificate.
        names: Host names in the certificate; the first is its common name.
        client: Whether it is also for the service as a client of others.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    service: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    owner: str = Field(default="root", pattern=r"^[a-z_][a-z0-9_-]*$")
    group: str = Field(default="root", pattern=r"^([a-z_][a-z0-9_-]*|[1-9][0-9]*)$")
    addresses: tuple[Annotated[str, AfterValidator(_address)], ...] = ()
    names: tuple[Annotated[str, AfterValidator(_host_name)], ...] = Field(min_length=1)
    client: bool = False

    @property
    def common_name(self) -> str:
        """Return the subject's name: the first host name that fits, which is at most 64 characters."""
        fitting = (name for name in self.names if len(name) <= _LONGEST_COMMON_NAME)
        return next(fitting, self.service)

    @property
    def purposes(self) -> list[x509.ObjectIdentifier]:
        """Return what the certificate may be shown for: as a server and, where asked for, as a client."""
        further = [ExtendedKeyUsageOID.CLIENT_AUTH] if self.client else []
        return [ExtendedKeyUsageOID.SERVER_AUTH, *further]


def checked_request(csr_pem: str, wanted: RequestedCertificate) -> x509.CertificateSigningRequest:
    """Return the request when its signature holds and it asks for exactly what `wanted` says.

    Args:
        csr_pem: The request as PEM.
        wanted: What the plan gives to this service on this host.

    Raises:
        RackwrightError: The request is unreadable, not signed by its own key, of another kind of key than
            P-256, or asks for other names or addresses.
    """
    try:
        request = x509.load_pem_x509_csr(csr_pem.encode())
        sound = request.is_signature_valid
    except ValueError as error:
        raise _refused(wanted, f"it is not readable ({error})") from error
    if not sound:
        raise _refused(wanted, "its signature does not hold")
    key = request.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _refused(wanted, "its key is not on the curve P-256")
    addresses, names = subject_names(request)
    if addresses != set(wanted.addresses) or names != set(wanted.names):
        asked = ", ".join(sorted(addresses | names)) or "nothing"
        given = ", ".join((*wanted.addresses, *wanted.names))
        raise _refused(wanted, f"it asks for {asked}; the plan gives {given}")
    return request


def subject_names(
    holder: x509.Certificate | x509.CertificateSigningRequest,
) -> tuple[set[str], set[str]]:
    """Return the addresses and the host names that a certificate or a request is for.

    Other kinds of names (mail, URI, …) count as host names, so that they are never the same as a plan's.
    """
    try:
        general = holder.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set(), set()
    addresses: set[str] = set()
    names: set[str] = set()
    for item in general:
        if isinstance(item, x509.IPAddress) and isinstance(item.value, IPv4Address | IPv6Address):
            addresses.add(str(item.value))
        elif isinstance(item, x509.DNSName):
            names.add(item.value)
        else:
            names.add(repr(item))
    return addresses, names


def _refused(wanted: RequestedCertificate, why: str) -> RackwrightError:
    return RackwrightError(
        f"the request for a certificate of {wanted.service} is refused: {why}",
        hint="the host sent something else than it was told to make: look at it before you go on",
    )
