"""Packs the doubles of a folder into one container image, as those of the engines are packed.

    python tests/doubles/build.py FOLDER DIRECTORY

writes DIRECTORY/<folder>-doubles.tar.gz, and DIRECTORY/doubles.yml with what a role is told of the image.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import yaml

HERE = Path(__file__).parent
ENGINES = HERE / "engines"
# Folder -> program in the image -> the double that it is.
PROGRAMS = {
    "grafana": {"usr/bin/grafana": "grafana"},
    "logs": {"usr/local/bin/docker-entrypoint.sh": "elasticsearch"},
    "stores": {"qdrant/qdrant": "qdrant"},
}


def engines() -> ModuleType:
    """Load how the doubles of the engines are packed; tests/doubles is no package."""
    spec = importlib.util.spec_from_file_location("engine_doubles", ENGINES / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def added_files(folder: str) -> dict[str, tuple[bytes, int]]:
    """Return what goes into the image beside the system: path -> content and mode."""
    root, place = f"usr/lib/{folder}-doubles", HERE / folder
    sources = [ENGINES / "common.py", *sorted(place.glob("*.py"))]
    files = {f"{root}/{path.name}": (path.read_bytes(), 0o644) for path in sources}
    for path in sorted(place.glob("*.documented.yml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        files[f"{root}/{path.stem}.json"] = (json.dumps(content).encode(), 0o644)
    for program, double in PROGRAMS[folder].items():
        text = f'#!/bin/sh\nexec python3 /{root}/{double}.py "$@"\n'
        files[program] = (text.encode(), 0o755)
    return files


def main() -> None:
    """Write everything into the directory that is named."""
    folder, target = sys.argv[1], Path(sys.argv[2]).resolve()
    target.mkdir(parents=True, exist_ok=True)
    packing = engines()
    image = packing.build(
        target, folder, packing.base_recipe(("python3", "python3-yaml")), added_files(folder)
    )
    text = yaml.safe_dump({"image": image}, sort_keys=False)
    (target / "doubles.yml").write_text(f"---\n{text}", encoding="utf-8")


if __name__ == "__main__":
    main()
