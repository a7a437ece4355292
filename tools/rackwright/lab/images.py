"""Builds the lab's images from Debian packages, once per recipe."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from rackwright.errors import RackwrightError
from rackwright.lab.cache import exclusive
from rackwright.lab.docker import docker, exists
from rackwright.lab.recipe import Recipe
from rackwright.site.paths import cache_directory

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# Enough for a slow mirror; a build takes half a minute on two cores.
BUILD_SECONDS = 1800


def architecture() -> str:
    """Return Debian's name of this machine's architecture."""
    return subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
    ).stdout.strip()


def ensure_image(recipe: Recipe) -> bool:
    """Build the recipe's image unless it is there; returns whether it was built.

    Package archives are kept in the cache, so that a second build of any recipe downloads none that it has.

    Raises:
        RackwrightError: The build failed; the message carries the end of its log.
    """
    with exclusive(f"image-{recipe.name}-{recipe.release}"):
        if exists("image", recipe.tag):
            return False
        with tempfile.TemporaryDirectory(prefix="build-", dir=cache_directory("images")) as work:
            archive = Path(work) / "system.tar"
            build_archive(recipe, archive, Path(work))
            changes = [
                f"--change={change}" for change in (*recipe.changes, f"LABEL rackwright.image={recipe.name}")
            ]
            docker("import", *changes, str(archive), recipe.tag)
    return True


def build_archive(recipe: Recipe, archive: Path, work: Path, *, epoch: int | None = None) -> None:
    """Write the recipe's root file system as a tar archive.

    Args:
        recipe: What to build.
        archive: The file to write.
        work: An empty directory for what is needed on the way.
        epoch: Seconds since 1970 that no file's time may exceed; makes the archive reproducible.

    Raises:
        RackwrightError: mmdebstrap failed.
    """
    log = cache_directory("log") / f"image-{recipe.name}-{recipe.release}.log"
    command = [*mmdebstrap_command(recipe, work), recipe.release, str(archive), *recipe.sources]
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    if epoch is not None:
        environment["SOURCE_DATE_EPOCH"] = str(epoch)
    with log.open("w", encoding="utf-8") as output:
        done = subprocess.run(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            check=False,
            timeout=BUILD_SECONDS,
            env=environment,
        )
    if done.returncode != 0:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
        raise RackwrightError(f"the image {recipe.tag} could not be built (log: {log})\n{tail}")


def mmdebstrap_command(recipe: Recipe, work: Path) -> list[str]:
    """Return mmdebstrap's command line up to the release; writes the recipe's files below `work`."""
    tree = work / "tree"
    for file in recipe.files:
        path = tree / file.path.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.content, encoding="utf-8")
        path.chmod(file.mode)
    packed = work / "files.tar"
    owner = ["--owner=0", "--group=0", "--numeric-owner", "--no-recursion"]
    members = [file.path.lstrip("/") for file in recipe.files]
    subprocess.run(["tar", *owner, "-C", str(tree), "-cf", str(packed), *members], check=True)
    debs = cache_directory(f"debs/{recipe.architecture}-{recipe.release}")
    return [
        "mmdebstrap",
        f"--variant={recipe.variant}",
        f"--architectures={recipe.architecture}",
        f"--keyring={KEYRING}",
        f"--include={','.join(recipe.packages)}",
        *recipe.options,
        # Archives go in from the cache before apt looks for them, and come back before they are cleaned away.
        "--skip=download/empty,essential/unlink",
        '--setup-hook=mkdir -p "$1/var/cache/apt/archives"',
        f"--setup-hook=sync-in {debs} /var/cache/apt/archives",
        f"--customize-hook=sync-out /var/cache/apt/archives {debs}",
        f"--customize-hook=tar-in {packed} /",
        *(f"--customize-hook=chroot \"$1\" sh -c '{command}'" for command in recipe.commands),
    ]


def missing_programs() -> list[str]:
    """Return the Debian packages that the lab needs on this machine and that are missing."""
    needed = {
        "docker.io": bool(shutil.which("docker") and shutil.which("dockerd")) or _docker_answers(),
        "mmdebstrap": shutil.which("mmdebstrap"),
        "debian-archive-keyring": KEYRING.is_file(),
        "openssh-client": shutil.which("ssh") and shutil.which("ssh-keygen"),
    }
    return [package for package, present in needed.items() if not present]


def _docker_answers() -> bool:
    return bool(shutil.which("docker")) and docker("info", check=False).returncode == 0
