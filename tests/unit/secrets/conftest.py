from pathlib import Path

import pytest

SECRETS = """\
secrets:
  first: {length: 40, description: the first, play: base}
  second: {length: 64, description: the second, play: "data,app"}
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with two secrets and an inventory; returns the inventory's directory."""
    (tmp_path / "ansible.cfg").touch()
    variables = tmp_path / "group_vars/all"
    variables.mkdir(parents=True)
    (variables / "services.yml").touch()
    (variables / "secrets.yml").write_text(SECRETS)
    inventory = tmp_path / "inventories/site"
    inventory.mkdir(parents=True)
    (inventory / "hosts.yml").write_text("all: {hosts: {one: {}}}\n")
    monkeypatch.setenv("RACKWRIGHT_ROOT", str(tmp_path))
    monkeypatch.delenv("RACKWRIGHT_VAULT_PASSWORD_FILE", raising=False)
    return inventory
