"""A plugin's package (`.difypkg`): a zip archive of its files, the signature in the archive's comment."""

from __future__ import annotations

import hashlib
import tomllib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath

import yaml

from rackwright.errors import RackwrightError

MANIFEST = "manifest.yaml"
REQUIREMENTS = "requirements.txt"
PROJECT = "pyproject.toml"
LOCK = "uv.lock"
# The oldest time that a zip file can hold.
_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Plugin:
    """A package that was read.

    Attributes:
        author, name, version: As its manifest says.
        python: The interpreter that its manifest asks for.
        files: Its files, in the archive's order.
        comment: The archive's comment, where a signature stands.
    """

    author: str
    name: str
    version: str
    python: str
    files: Mapping[str, bytes]
    comment: bytes

    @property
    def plugin_id(self) -> str:
        """`author/name`."""
        return f"{self.author}/{self.name}"

    @property
    def requirements(self) -> str:
        """The lines of what it needs, as its author wrote them."""
        if REQUIREMENTS in self.files:
            return self.files[REQUIREMENTS].decode()
        if PROJECT not in self.files:
            raise RackwrightError(
                f"{self.plugin_id}: neither {REQUIREMENTS} nor {PROJECT} in the package",
                hint="the plugin daemon would refuse it as well; ask its author",
            )
        project = tomllib.loads(self.files[PROJECT].decode()).get("project", {})
        return "\n".join(project.get("dependencies", [])) + "\n"


def checksum(files: Mapping[str, bytes]) -> str:
    """Return the checksum by which the daemon knows a package: of all names and contents, by name."""
    whole = hashlib.sha256()
    for name in sorted(files):
        whole.update(hashlib.sha256(name.encode()).digest())
        whole.update(hashlib.sha256(files[name]).digest())
    return whole.hexdigest()


def read_plugin(path: Path) -> Plugin:
    """Read a package.

    Raises:
        RackwrightError: It is no archive, has paths that lead out of it, or no sound manifest.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in archive.infolist() if not info.is_dir()]
            files = {name: archive.read(name) for name in names}
            comment = archive.comment
    except (OSError, zipfile.BadZipFile) as error:
        raise RackwrightError(
            f"{path}: {error}", hint="a plugin's package is a zip archive (.difypkg)"
        ) from None
    for name in names:
        if name.startswith("/") or ".." in PurePosixPath(name).parts:
            raise RackwrightError(f"{path}: {name!r} leads out of the package")
    if len(set(names)) != len(names):
        raise RackwrightError(f"{path}: a file is in it twice")
    return _described(path, files, comment)


def _described(path: Path, files: Mapping[str, bytes], comment: bytes) -> Plugin:
    try:
        manifest = yaml.safe_load(files[MANIFEST])
        runner = manifest["meta"]["runner"]
        author, name, version = (str(manifest[key]) for key in ("author", "name", "version"))
        language, python = str(runner["language"]), str(runner["version"])
    except (KeyError, TypeError, yaml.YAMLError) as error:
        raise RackwrightError(
            f"{path}: {MANIFEST} lacks {error}", hint="author, name, version and meta.runner must be there"
        ) from None
    if language != "python":
        raise RackwrightError(f"{path}: it runs with {language}; the plugin daemon knows python alone")
    return Plugin(author, name, version, python, files, comment)


def with_wheels(plugin: Plugin, wheels: Mapping[str, bytes], lines: list[str]) -> dict[str, bytes]:
    """Return the files of the package with its wheels in it.

    What named its requirements gives way to a list of the wheels: the daemon prefers pyproject.toml, and a
    lock names addresses on the internet.

    Args:
        plugin: The package.
        wheels: File name -> content.
        lines: `name==version` for each wheel.
    """
    kept = {
        name: content for name, content in plugin.files.items() if name not in (REQUIREMENTS, PROJECT, LOCK)
    }
    text = ["# Written by rackwright bundle plugins: all that is named here is in wheels/.", "--no-index"]
    text += ["--find-links ./wheels/", *lines]
    kept[REQUIREMENTS] = ("\n".join(text) + "\n").encode()
    return kept | {f"wheels/{name}": wheels[name] for name in sorted(wheels)}


def packed(files: Mapping[str, bytes], comment: bytes) -> bytes:
    """Return a package: the same files make the same bytes."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, _TIME)
            # Wheels are archives themselves.
            info.compress_type = zipfile.ZIP_STORED if name.endswith(".whl") else zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)
        archive.comment = comment
    return buffer.getvalue()
