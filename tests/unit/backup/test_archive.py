"""The stream in which a store travels."""

import io
import tarfile
from pathlib import Path

import pytest

from rackwright.backup.agent import archive
from rackwright.backup.agent.shell import Failed


def packed(tmp_path: Path) -> bytes:
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep/a").write_text("one")
    (source / "b").write_bytes(bytes(range(256)) * 40)
    (source / "link").symlink_to("b")
    out = io.BytesIO()
    archive.send(out, [("srv/data", source)], {"kind": "files"})
    return out.getvalue()


def test_a_stream_comes_back_as_it_was(tmp_path: Path) -> None:
    into = tmp_path / "into"
    into.mkdir()
    manifest = archive.receive(io.BytesIO(packed(tmp_path)), into)
    assert set(manifest["files"]) == {"srv/data/b", "srv/data/deep/a"}
    assert (into / "srv/data/deep/a").read_text() == "one"
    assert (into / "srv/data/link").readlink() == Path("b")


@pytest.mark.parametrize("place", [700, 2100, 3000, 5000])
def test_one_byte_that_is_another_is_found(tmp_path: Path, place: int) -> None:
    stream = bytearray(packed(tmp_path))
    stream[place] ^= 1
    into = tmp_path / "into"
    into.mkdir()
    try:
        archive.receive(io.BytesIO(bytes(stream)), into)
    except Failed:
        return
    # Padding between members may be anything: then every file is what it was.
    assert (into / "srv/data/b").read_bytes() == bytes(range(256)) * 40


def test_a_stream_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    stream = packed(tmp_path)
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises(Failed, match=r"not whole|cannot be unpacked"):
        archive.receive(io.BytesIO(stream[: len(stream) // 2]), into)


def test_a_stream_stays_where_it_is_unpacked(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w|") as stream:
        stream.addfile(tarfile.TarInfo("../outside"))
    with pytest.raises(Failed, match="outside of it"):
        archive.receive(io.BytesIO(out.getvalue()), tmp_path)
