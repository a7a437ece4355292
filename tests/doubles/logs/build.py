"""Packs the doubles of the log stores into one container image, as those of the engines are packed.

    python tests/doubles/logs/build.py DIRECTORY

writes DIRECTORY/logs-doubles.tar.gz, and DIRECTORY/doubles.yml with what a role is told of the image.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import yaml

HERE = Path(__file__).parent
ENGINES = HERE.parent / "engines"
ROOT = "usr/lib/log-doubles"
# Program in the image -> the double that it is.
PROGRAMS = {"usr/local/bin/docker-entrypoint.sh": "elasticsearch"}


def _engines() -> ModuleType:
    spec = importlib.util.spec_from_file_location("engine_doubles", ENGINES / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def added_files() -> dict[str, tuple[bytes, int]]:
    """Return what goes into the image beside the system: path -> content and mode."""
    sources = [ENGINES / "common.py", *sorted(path for path in HERE.glob("*.py") if path != Path(__file__))]
    files = {f"{ROOT}/{path.name}": (path.read_bytes(), 0o644) for path in sources}
    for path in sorted(HERE.glob("*.documented.yml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        files[f"{ROOT}/{path.stem}.json"] = (json.dumps(content).encode(), 0o644)
    for program, double in PROGRAMS.items():
        text = f'#!/bin/sh\nexec python3 /{ROOT}/{double}.py "$@"\n'
        files[program] = (text.encode(), 0o755)
    return files


def main() -> None:
    """Write everything into the directory that is named."""
    engines = _engines()
    target = Path(sys.argv[1]).resolve()
    target.mkdir(parents=True, exist_ok=True)
    image = engines.build(target, "logs", engines.base_recipe(("python3", "python3-yaml")), added_files())
    text = yaml.safe_dump({"image": image}, sort_keys=False)
    (target / "doubles.yml").write_text(f"---\n{text}", encoding="utf-8")


if __name__ == "__main__":
    main()
