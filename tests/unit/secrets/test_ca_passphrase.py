from pathlib import Path

from rackwright.pki.authority import Authority
from rackwright.secrets import store


def test_rotating_the_passphrase_takes_the_key_of_the_authority_along(site: Path) -> None:
    specification = site.parents[1] / "group_vars/all/secrets.yml"
    specification.write_text(
        specification.read_text() + "  ca_passphrase: {length: 48, description: of the CA, play: base}\n"
    )
    store.initialise([site])
    old = store.value_of("ca_passphrase", [site])
    authority = Authority(site / "pki")
    authority.ensure(old)
    before = authority.key_path.read_bytes()

    store.rotate("ca_passphrase", [site])

    new = store.value_of("ca_passphrase", [site])
    assert new != old
    assert authority.key_path.read_bytes() != before
    with authority.passphrase_changed(new, "and once more"):
        pass
    assert sorted(path.name for path in authority.directory.iterdir()) == ["ca.key.pem", "ca.pem"]
