"""The toolkit itself in a bundle, and the script that makes a control node of a machine with Python."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from rackwright.bundle.manifest import Entry
from rackwright.bundle.store import Store
from rackwright.site.paths import repository_root
from rackwright.wheelhouse.archive import EPOCH

NAME = "toolkit/rackwright.tar"
SETUP = "setup-control-node"
_LEFT_OUT = frozenset({".git", ".venv", "build", "dist", ".lab", "__pycache__", "models"})


def entries(store: Store, version: str) -> list[Entry]:
    """Put the toolkit into a bundle; return its entries."""
    archive, _ = store.add_bytes(_archive(repository_root()))
    script, script_size = store.add_bytes(setup_script())
    return [
        Entry(
            NAME, archive, store.path(archive).stat().st_size, "toolkit", "rackwright", version, "Apache-2.0"
        ),
        Entry(f"toolkit/{SETUP}", script, script_size, "toolkit", "rackwright", version, "Apache-2.0"),
    ]


def setup_script() -> bytes:
    """Return the script beside a bundle's manifest; it needs Python's standard library alone."""
    return (Path(__file__).parent / "files" / f"{SETUP}.py").read_bytes()


def _archive(root: Path) -> bytes:
    """Return a tar file of the project's files; the same files make the same bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in _files(root):
            path = root / name
            member = tarfile.TarInfo(f"rackwright/{name}")
            member.mtime = EPOCH
            if path.is_symlink():
                member.type, member.linkname = tarfile.SYMTYPE, str(path.readlink())
                archive.addfile(member)
                continue
            member.size = path.stat().st_size
            member.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            with path.open("rb") as content:
                archive.addfile(member, content)
    return buffer.getvalue()


def _files(root: Path) -> list[str]:
    """Return the project's files: what git knows; of an unpacked toolkit, all but what was made there."""
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], capture_output=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        names = [name for name in listed.stdout.decode().split("\0") if name]
    else:
        names = [
            str(path.relative_to(root))
            for path in root.rglob("*")
            if (path.is_file() or path.is_symlink()) and not _LEFT_OUT & set(path.relative_to(root).parts)
        ]
    return sorted(name for name in names if (root / name).is_file() or (root / name).is_symlink())
