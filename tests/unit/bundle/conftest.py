"""A small bundle with a real signature, and keys that are made once."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rackwright.bundle import manifest, sign, toolkit, verify
from rackwright.bundle.manifest import Entry, Manifest
from rackwright.bundle.store import Store

FILES = {
    "apt/debian-13/amd64/Release": ("repository", b"Origin: Rackwright\n"),
    "apt/pool/debian/n/nginx_1_amd64.deb": ("package", b"deb " * 5000),
    "files/one": ("file", b"the same"),
    "files/two": ("file", b"the same"),
    "models/tiny/q4/tiny.gguf": ("model", bytes(range(256)) * 900),
}


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    if shutil.which("gpg") is None:
        pytest.fail("gpg is not installed: make packages")
    homes = {name: tmp_path_factory.mktemp(f"k-{name}") for name in ("ours", "other")}
    for name, home in homes.items():
        sign.make_key(name, home)
    yield homes
    for home in homes.values():
        sign.forget_agent(home)


@pytest.fixture
def key(keys: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(sign.HOME_VARIABLE, str(keys["ours"]))
    return sign.fingerprint()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RACKWRIGHT_CACHE", str(tmp_path / "cache"))


Make = Callable[..., Manifest]


@pytest.fixture
def make(key: str, cache: None) -> Make:  # noqa: ARG001 - both must be there
    """Write a signed bundle of these files."""

    def made(root: Path, files: dict[str, tuple[str, bytes]] | None = None) -> Manifest:
        store = Store(root)
        entries = []
        for path, (kind, content) in (files or FILES).items():
            sha256, size = store.add_bytes(content)
            entries.append(Entry(path, sha256, size, kind, name=Path(path).stem, version="1"))
        found = manifest.make("test", ["debian-13/amd64"], entries)
        (root / manifest.NAME).write_text(found.text(), encoding="utf-8")
        (root / manifest.KEY).write_bytes(sign.public_key())
        (root / manifest.SIGNATURE).write_bytes(sign.sign(root / manifest.NAME))
        (root / verify.SIGNATURES).mkdir(exist_ok=True)
        for entry in filter(verify.is_signed, found.entries):
            verify.signature_of(root, entry.path).write_bytes(sign.sign(store.path(entry.sha256)))
        (root / toolkit.SETUP).write_bytes(toolkit.setup_script())
        return found

    return made
