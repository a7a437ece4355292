"""The ready inventories of this repository are sound, but for what each site makes itself."""

from pathlib import Path

import pytest

from rackwright.site.paths import repository_root
from rackwright.site.validate import validate

INVENTORIES = sorted(path.parent for path in (repository_root() / "inventories").glob("*/hosts.yml"))


@pytest.mark.parametrize("inventory", INVENTORIES, ids=[path.name for path in INVENTORIES])
def test_an_inventory_is_sound(inventory: Path, tmp_path: Path) -> None:
    # What `rackwright secrets init` and `rackwright lab up` make is not in the repository, and a machine that
    # has it must find the same.
    copy = tmp_path / "inventories" / inventory.name
    made = {"vault.yml", "pki"}
    for path in sorted(inventory.rglob("*")):
        if path.is_file() and not made & set(path.relative_to(inventory).parts):
            target = copy / path.relative_to(inventory)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    findings = [finding for finding in validate([copy]) if not _made_later(finding.variable, finding.rule)]
    assert [str(finding) for finding in findings] == []


def _made_later(variable: str, rule: str) -> bool:
    return "vault_" in variable or "/artifacts/artifacts.yml" in rule
