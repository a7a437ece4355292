"""The page as an archive."""

import io
import re
import tarfile
import zipfile
from pathlib import Path

import pytest

from rackwright.errors import RackwrightError
from rackwright.frontend.build import build_page


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RACKWRIGHT_CACHE", str(tmp_path / "cache"))


def names(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as packed:
        found = {entry.name: packed.extractfile(entry) for entry in packed}
        return {name: file.read() for name, file in found.items() if file is not None}


def test_our_page_names_its_assets_by_their_content() -> None:
    first, again = build_page(), build_page()
    assert first == again
    files = names(first.archive)
    page = files["index.html"].decode()
    asked = re.findall(r'(?:src|href)="/(assets/[0-9a-f]{16}/[^"]+)"', page)
    assert len(asked) == 3
    assert set(asked) <= set(files)
    # The page's policy allows no script or style within it.
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", page)
    for name, content in files.items():
        if name.endswith(".js"):
            for module in re.findall(rb'from "\./([^"]+)"', content):
                assert f"{name.rpartition('/')[0]}/{module.decode()}" in files


def test_directories_are_everybodys_whatever_the_hosts_umask_is() -> None:
    with tarfile.open(build_page().archive) as packed:
        entries = list(packed)
    modes = {entry.name: entry.mode for entry in entries}
    above = {str(parent) for name in modes for parent in Path(name).parents} - {"."}
    assert above
    assert {modes[name] for name in above} == {0o755}
    # Each before what is in it.
    assert [entry.name for entry in entries if entry.isdir()] == sorted(above)


def archive_of(tmp_path: Path, kind: str, name: str = "index.html") -> Path:
    path = tmp_path / f"page.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr(name, "<p>")
    else:
        with tarfile.open(path, "w:gz") as packed_tar:
            entry = tarfile.TarInfo(name)
            entry.size = 3
            packed_tar.addfile(entry, io.BytesIO(b"<p>"))
    return path


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_customers_archive_is_taken_as_it_is(tmp_path: Path, kind: str) -> None:
    assert names(build_page(str(archive_of(tmp_path, kind))).archive) == {"index.html": b"<p>"}


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("name", ["../index.html", "/index.html", "a/../../index.html", "dist/index.html"])
def test_ways_out_and_pages_without_an_index_are_refused(tmp_path: Path, kind: str, name: str) -> None:
    with pytest.raises(RackwrightError, match="frontend_source"):
        build_page(str(archive_of(tmp_path, kind, name)))


def test_links_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "page.tar", "w") as packed:
        entry = tarfile.TarInfo("index.html")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        packed.addfile(entry)
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist/index.html").symlink_to("/etc/passwd")
    for source in ("page.tar", "dist"):
        with pytest.raises(RackwrightError, match="link"):
            build_page(str(tmp_path / source))


def test_what_is_no_page_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RackwrightError, match="no directory, tar or zip"):
        build_page(str(tmp_path / "gone"))
