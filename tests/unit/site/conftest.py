import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from rackwright.site.inventory import prepare_ansible
from rackwright.site.paths import repository_root

PASSWORD = "a password for tests alone"


@pytest.fixture(scope="session")
def vault_text() -> str:
    """A vault with a value for every secret of the project, encrypted once for all tests."""
    prepare_ansible()
    from ansible.parsing.vault import VaultLib, VaultSecret  # noqa: PLC0415 - after the configuration is settled

    text = (repository_root() / "group_vars/all/secrets.yml").read_text(encoding="utf-8")
    names = yaml.safe_load(text)["secrets"]
    values = yaml.safe_dump({f"vault_{name}": f"secret of {name}" for name in names})
    vault = VaultLib([("default", VaultSecret(PASSWORD.encode()))])
    return str(vault.encrypt(values).decode())


@pytest.fixture
def lab(tmp_path: Path, vault_text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the lab's inventory with a vault; sound until a test edits it."""
    source = repository_root() / "inventories/lab"
    copy = tmp_path / "inventories/lab"
    # models.yml reads what `rackwright lab up` makes.
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("vault.yml", "pki", "models.yml"))
    (copy / "group_vars/all/vault.yml").write_text(vault_text, encoding="utf-8")
    password = tmp_path / "password"
    password.write_text(PASSWORD, encoding="utf-8")
    monkeypatch.setenv("RACKWRIGHT_VAULT_PASSWORD_FILE", str(password))
    return copy


@pytest.fixture
def edit(lab: Path) -> Callable[[str, str, str], None]:
    """Replace a text in a file of the copy; the text must be there."""

    def replace(name: str, old: str, new: str) -> None:
        path = lab / name
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{name} has changed: {old!r} is not in it"
        path.write_text(text.replace(old, new), encoding="utf-8")

    return replace
