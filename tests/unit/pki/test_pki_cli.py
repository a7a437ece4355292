import ipaddress
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from rackwright.cli.pki import pki
from rackwright.errors import RackwrightError
from rackwright.pki.authority import Authority
from rackwright.pki.issued import record
from rackwright.pki.request import RequestedCertificate

WANTED = RequestedCertificate(service="nginx", addresses=("192.0.2.1",), names=("api.example",))


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """An inventory whose authority issued one certificate that is due."""
    authority = Authority(tmp_path / "pki")
    authority.ensure("passphrase")
    alternatives = x509.SubjectAlternativeName(
        [x509.IPAddress(ipaddress.ip_address("192.0.2.1")), x509.DNSName("api.example")]
    )
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(alternatives, critical=False)
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )
    pem = request.public_bytes(serialization.Encoding.PEM).decode()
    record(authority, "edge1", "nginx", authority.sign(pem, WANTED, "passphrase", days=10))
    return tmp_path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(pki, list(map(str, arguments)), catch_exceptions=False)


def test_ca_prints_the_path_that_a_client_must_trust(inventory: Path) -> None:
    assert run("ca", "-i", inventory).output == f"{inventory}/pki/ca.pem\n"


def test_list_knows_what_expires_when(inventory: Path) -> None:
    ca, leaf = json.loads(run("list", "--json", "-i", inventory).output)

    assert (ca["service"], ca["state"], ca["days_left"]) == ("ca", "valid", 3649)
    assert (leaf["host"], leaf["service"], leaf["state"]) == ("edge1", "nginx", "due")
    assert (leaf["days_left"], leaf["names"]) == (9, ["192.0.2.1", "api.example"])
    assert "edge1" in run("list", "-i", inventory).output


def test_show_prints_the_certificate(inventory: Path) -> None:
    output = run("show", "edge1", "nginx", "-i", inventory).output

    assert "due, 9 days left" in output
    pem = output[output.index("-----BEGIN") :]
    assert x509.load_pem_x509_certificate(pem.encode()).subject.rfc4514_string() == "CN=api.example"


def test_without_an_authority_the_commands_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RackwrightError) as refused:
        run("ca", "-i", tmp_path)
    assert "apply the site" in (refused.value.hint or "")
