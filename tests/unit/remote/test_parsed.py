"""What is kept of the project's files is what Ansible reads in them, and never more."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from ansible._internal._datatag._tags import Origin, TrustedAsTemplate
from ansible.constants import DEFAULT_VAULT_IDENTITY
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret

from rackwright.remote import parsed
from rackwright.remote.parsed import Kept

TEXT = "- name: one\n  tags: [a, b]\n  vars: {x: '{{ y }}'}\n"
LOAD = DataLoader.load_from_file
SECRETS = [(DEFAULT_VAULT_IDENTITY, VaultSecret(b"word"))]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a file that was written some time ago."""
    monkeypatch.setenv("RACKWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(parsed, "SETTLED", 0.0)
    written(tmp_path / "roles" / "one" / "tasks" / "main.yml", TEXT)
    return tmp_path


def written(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    time.sleep(0.02)
    return path


def loader(root: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[DataLoader, Kept]:
    """A loader as in a new run."""
    kept = Kept(root)
    monkeypatch.setattr(DataLoader, "load_from_file", parsed._keeping(LOAD, kept))
    made = DataLoader()
    made.set_vault_secrets(SECRETS)
    return made, kept


def parses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Get every file that is parsed from now on."""
    seen: list[str] = []
    parse = DataLoader.load

    def noted(self: DataLoader, data: str, file_name: str | None = None, **more: object) -> object:
        seen.append(Path(str(file_name)).name)
        return parse(self, data, file_name, **more)

    monkeypatch.setattr(DataLoader, "load", noted)
    return seen


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("unsafe", [False, True])
def test_a_later_run_gets_the_same_without_parsing(
    root: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool, unsafe: bool
) -> None:
    path = str(root / "roles/one/tasks/main.yml")
    options = {"trusted_as_template": trusted, "unsafe": unsafe}
    plain = LOAD(DataLoader(), path, **options)
    first, kept = loader(root, monkeypatch)
    assert first.load_from_file(path, **options) == plain
    kept._write(os.getpid())
    seen = parses(monkeypatch)
    again, _ = loader(root, monkeypatch)
    found = again.load_from_file(path, **options)
    assert found == plain
    assert seen == []
    value, expected = found[0]["vars"]["x"], plain[0]["vars"]["x"]
    assert Origin.get_tag(value) == Origin.get_tag(expected)
    assert TrustedAsTemplate.is_tagged_on(value) == TrustedAsTemplate.is_tagged_on(expected) == trusted
    # What is handed out as a copy is nobody else's; what is handed out as it is, is the same for all.
    if unsafe:
        assert again.load_from_file(path, **options) is found
    else:
        found[0]["name"] = "changed"
        assert again.load_from_file(path, **options) == plain


def test_a_file_that_was_changed_is_read_anew(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = root / "roles/one/tasks/main.yml"
    first, kept = loader(root, monkeypatch)
    first.load_from_file(str(path))
    kept._write(os.getpid())
    about = path.stat()
    path.write_text(TEXT.replace("one", "two"))
    # As an archive would unpack it: of the same size and time.
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    again, _ = loader(root, monkeypatch)
    assert again.load_from_file(str(path))[0]["name"] == "two"


def test_what_was_written_just_now_is_not_kept(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsed, "SETTLED", 60.0)
    first, kept = loader(root, monkeypatch)
    first.load_from_file(str(root / "roles/one/tasks/main.yml"))
    assert kept._entries == {}


def test_neither_a_site_nor_a_vault_is_kept(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = written(root / "inventories/site/group_vars/all.yml", "password: s3cret\n")
    vault = written(root / "group_vars/all/vault.yml", VaultLib(SECRETS).encrypt("password: s3cret\n"))
    first, kept = loader(root, monkeypatch)
    for path in (site, vault):
        assert first.load_from_file(str(path)) == {"password": "s3cret"}
    assert kept._entries == {}


def test_what_others_could_have_written_is_not_believed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, kept = loader(root, monkeypatch)
    first.load_from_file(str(root / "roles/one/tasks/main.yml"))
    kept._write(os.getpid())
    kept._place.chmod(0o666)
    assert Kept(root)._entries == {}
    kept._place.chmod(0o600)
    assert Kept(root)._entries
    kept._place.write_bytes(b"cut off")
    assert Kept(root)._entries == {}
