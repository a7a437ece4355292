"""Packs the double of Traefik as its releases are packed: an archive with one program, and its checksum.

    python tests/doubles/traefik/release.py DIRECTORY

writes DIRECTORY/traefik_v3.7.9_linux_amd64.tar.gz, and DIRECTORY/release.yml with what roles/traefik is told
of it. The program needs Python 3.11 and nothing else; the same sources give the same archive.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import sys
import tarfile
import zipfile
from pathlib import Path

import yaml

HERE = Path(__file__).parent
NAME = "traefik_v3.7.9_linux_amd64.tar.gz"
_THEN = (2020, 1, 1, 0, 0, 0)
_START = "import sys\nfrom double.main import main\nsys.exit(main())\n"


def program() -> bytes:
    """Return the program: a zip that Python starts, with PyYAML in it as Python alone."""
    known = yaml.safe_load((HERE / "traefik.documented.yml").read_text(encoding="utf-8"))
    files = {"__main__.py": _START.encode(), "double/documented.json": json.dumps(known).encode()}
    for package in (HERE / "double", Path(yaml.__file__).parent):
        files |= {f"{package.name}/{path.name}": path.read_bytes() for path in sorted(package.glob("*.py"))}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _THEN), content)
    return b"#!/usr/bin/python3 -I\n" + packed.getvalue()


def write(directory: Path) -> Path:
    """Write archive and description; return the archive."""
    directory.mkdir(parents=True, exist_ok=True)
    content, packed = program(), io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as pressed,
        tarfile.open(fileobj=pressed, mode="w") as tar,
    ):
        entry = tarfile.TarInfo("traefik")
        entry.size, entry.mode = len(content), 0o755
        tar.addfile(entry, io.BytesIO(content))
    path = directory / NAME
    path.write_bytes(packed.getvalue())
    release = {"source": str(path), "sha256": hashlib.sha256(packed.getvalue()).hexdigest()}
    (directory / "release.yml").write_text(f"---\n{yaml.safe_dump(release)}", encoding="utf-8")
    return path


if __name__ == "__main__":
    write(Path(sys.argv[1]).resolve())
