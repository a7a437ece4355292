"""site_directory: the directory that owns the vault, also when another inventory is laid over it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest
from ansible.errors import AnsibleLookupError

Value: TypeAlias = Any


def test_the_last_directory_of_the_inventory_counts(
    tmp_path: Path, load: Value, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, overlay = tmp_path / "site", tmp_path / "hosts.yml"
    site.mkdir()
    overlay.touch()
    code = load("lookup", "site_directory")
    monkeypatch.setattr(code, "context", SimpleNamespace(CLIARGS={"inventory": [str(site), str(overlay)]}))
    found = code.LookupModule()
    assert found.run([]) == [str(site)]
    assert found.run(["pki/ca.pem", "dashboards"]) == [f"{site}/pki/ca.pem", f"{site}/dashboards"]


def test_without_an_inventory_it_says_what_to_write(load: Value, monkeypatch: pytest.MonkeyPatch) -> None:
    code = load("lookup", "site_directory")
    monkeypatch.setattr(code, "context", SimpleNamespace(CLIARGS={"inventory": ["/nowhere"]}))
    with pytest.raises(AnsibleLookupError, match="-i inventories/<site>"):
        code.LookupModule().run([])


def test_where_the_toolkit_reads_an_inventory_itself_its_sources_count(
    tmp_path: Path, load: Value, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = load("lookup", "site_directory")
    monkeypatch.setattr(code, "context", SimpleNamespace(CLIARGS={}))
    sources = {"ansible_inventory_sources": [str(tmp_path)]}
    assert code.LookupModule().run(["dashboards"], sources) == [f"{tmp_path}/dashboards"]
