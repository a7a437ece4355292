"""What tests/doubles/build.py packs for Milvus: the real server of a package index, behind a layer of ours.

The server is 2.3.5; the REST API v2, by which the app and the roles ask, came with 2.4. The layer
(milvus_rest.py) speaks it and hands every call on by gRPC, as the caller's own user. What is kept, found,
refused, written to the disk and read from it is the real server's doing.
"""

from __future__ import annotations

import fcntl
import hashlib
import lzma
import re
import subprocess
import sys
import zipfile
from pathlib import Path

from rackwright.site.paths import cache_directory

LOCK = Path(__file__).with_name("wheels.lock")
ROOT = "usr/lib/milvus-doubles"
PACKAGES = ("python3", "python3-yaml", "python3-grpcio", "python3-protobuf")
# Debian's own are newer, and what else is in the image needs those.
LEFT_TO_THE_SYSTEM = ("libresolv.so", "libstdc++.so", "libgcc_s.so", "libz.so")
CONFIGS: dict[str, dict[str, object]] = {
    "milvus": {
        "Env": ["PATH=/usr/bin:/bin", "LD_LIBRARY_PATH=/milvus/lib", "MILVUSCONF=/milvus/configs"],
        "WorkingDir": "/milvus",
    }
}


def wheels() -> Path:
    """Return the directory of the wheels, fetched when they are asked for first."""
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    directory = cache_directory("artifacts") / f"milvus-wheels-{digest}"
    with (cache_directory("artifacts") / "milvus-wheels.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.is_dir():
            making = directory.with_suffix(".new")
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
            command += ["--no-deps", "--require-hashes", "-r", str(LOCK), "-d", str(making)]
            subprocess.run(command, check=True)
            making.rename(directory)
    return directory


def configuration(template: str) -> str:
    """Return the server's own milvus.yaml: the wheel's template with the values that it names."""
    filled = re.sub(r"\{\{[^:}]*:([^}]*)\}\}", lambda found: found.group(1).strip(), template)
    return re.sub(r"\{\{[^}]*\}\}", '""', filled)


def added_files() -> dict[str, tuple[bytes, int]]:
    """Return what goes into the image beside the system and the layer: path -> content and mode."""
    starts = f'#!/bin/sh\nexec python3 /{ROOT}/milvus.py "$@"\n'.encode()
    files: dict[str, tuple[bytes, int]] = {"usr/bin/milvus": (starts, 0o755)}
    for wheel in sorted(wheels().glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                content = archive.read(name)
                if re.fullmatch(r"pymilvus/grpc_gen/\w+\.py", name):
                    files[f"{ROOT}/{name.removeprefix('pymilvus/')}"] = (content, 0o644)
                elif name == "milvus/data/glog.conf":
                    files["milvus/configs/glog.conf"] = (content, 0o644)
                elif name == "milvus/data/config.yaml.template":
                    files["milvus/configs/milvus.yaml"] = (configuration(content.decode()).encode(), 0o644)
                elif name.endswith(".lzma"):
                    program = Path(name).stem
                    if not program.startswith(LEFT_TO_THE_SYSTEM):
                        place = "milvus/bin" if program == "milvus" else "milvus/lib"
                        files[f"{place}/{program}"] = (lzma.decompress(content), 0o755)
    return files


def told(images: dict[str, dict[str, object]], target: Path) -> dict[str, object]:
    """Return what a role is told of the image."""
    del target
    return {"image": images["milvus"]}
