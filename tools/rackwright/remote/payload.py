"""What is laid down on the hosts: our modules, and of Ansible what they import."""

from __future__ import annotations

import ast
import gzip
import hashlib
import io
import os
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ansible._internal import _locking
from ansible._internal._ansiballz import _builder
from ansible.executor.module_common import recursive_finder
from ansible.release import __version__ as ansible_version

from rackwright.site.paths import cache_directory

ENTRY = "run.py"
_PACKAGE = "ansible/legacy"
_LENGTH = 16


@dataclass(frozen=True)
class Payload:
    """One generation of modules.

    Attributes:
        name: Checksum of the content, the name of its directory.
        modules: Names of the modules in it.
        place: Where the archive is kept on the control node.
    """

    name: str
    modules: frozenset[str]
    place: Path

    def archive(self) -> bytes:
        """Return the content: a tar archive, compressed."""
        return (self.place / f"{self.name}.tar.gz").read_bytes()


def files_of(directory: Path) -> dict[str, bytes]:
    """Return all files for the modules of a directory, by path.

    What they need is found by the same function that Ansible packs modules with, once for all of them.
    """
    sources = {path.stem: path.read_bytes() for path in sorted(directory.glob("*.py"))}
    imports = "\n".join(sorted({line for source in sources.values() for line in _imports(source)}))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, mode="w") as target:
        recursive_finder(
            "all_modules",
            "ansible.legacy.all_modules",
            imports,
            target,
            datetime(1980, 1, 1, tzinfo=UTC),
            _builder.ExtensionManager(),
        )
    with zipfile.ZipFile(packed) as made:
        files = {name: made.read(name) for name in made.namelist()}
    files[f"{_PACKAGE}/__init__.py"] = b""
    files |= {f"{_PACKAGE}/{name}.py": source for name, source in sources.items()}
    files[ENTRY] = (Path(__file__).parent / "entry.py").read_bytes()
    return files


def packed(files: dict[str, bytes]) -> bytes:
    """Return a compressed tar archive; the same bytes for the same files."""
    content = io.BytesIO()
    # Neither the time nor the level's flag may differ from run to run.
    with (
        gzip.GzipFile(fileobj=content, mode="wb", mtime=0, compresslevel=6) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as archive,
    ):
        for name in sorted(files):
            member = tarfile.TarInfo(name)
            member.size = len(files[name])
            member.mode = 0o600
            archive.addfile(member, io.BytesIO(files[name]))
    return content.getvalue()


def payload(directory: Path) -> Payload:
    """Return the payload for a directory of modules; made anew only when a file of it or Ansible changed."""
    place = cache_directory("modules")
    index = place / _signature(directory)
    if not index.exists():
        with _locking.named_mutex(f"{index}.lock"):
            if not index.exists():
                files = files_of(directory)
                _write(place / f"{_name(files)}.tar.gz", packed(files))
                names = [Path(path).stem for path in files if path.startswith(f"{_PACKAGE}/")]
                _write(index, " ".join([_name(files), *names]).encode())
    name, *modules = index.read_text(encoding="ascii").split()
    return Payload(name, frozenset(modules) - {"__init__"}, place)


def _signature(directory: Path) -> str:
    """Return what changes whenever the payload may: its files' places, sizes and times, Ansible's version."""
    utilities = (directory.parent / "module_utils").rglob("*.py")
    sources = [*sorted(directory.glob("*.py")), *sorted(utilities), Path(__file__).parent / "entry.py"]
    total = hashlib.sha256(f"{ansible_version}\0".encode())
    for path in sources:
        about = path.stat()
        total.update(f"{path}\0{about.st_size}\0{about.st_mtime_ns}\0".encode())
    return total.hexdigest()[:_LENGTH]


def _name(files: dict[str, bytes]) -> str:
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(f"{name}\0{len(files[name])}\0".encode() + files[name])
    return total.hexdigest()[:_LENGTH]


def _imports(source: bytes) -> list[str]:
    """Return the lines by which a module imports of Ansible."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "ansible")
        or (isinstance(node, ast.Import) and any(name.name.split(".")[0] == "ansible" for name in node.names))
    ]


def _write(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
    Path(name).replace(path)
