"""Packs the doubles of a folder into container images, as those of the engines are packed.

    python tests/doubles/build.py FOLDER DIRECTORY

writes DIRECTORY/<folder>-doubles.tar.gz, and DIRECTORY/doubles.yml with what a role is told of the images.
Most folders make one image of their programs; one that makes several says of what in its own images.py.
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
SEVERAL = "images.py"
# Folder -> program in the image -> the double that it is.
PROGRAMS = {
    "grafana": {"usr/bin/grafana": "grafana"},
    "logs": {
        "usr/local/bin/docker-entrypoint.sh": "elasticsearch",
        "usr/local/bin/kibana-docker": "kibana",
        "usr/local/bin/docker-entrypoint": "logstash",
    },
    "stores": {"qdrant/qdrant": "qdrant", "usr/bin/weaviate": "weaviate", "usr/bin/wget": "wget"},
}


def loaded(path: Path) -> ModuleType:
    """Load a file; tests/doubles is no package."""
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def doubles(folder: str) -> dict[str, tuple[bytes, int]]:
    """Return a folder's doubles and what they know of the real ones: path -> content and mode."""
    root, place = f"usr/lib/{folder}-doubles", HERE / folder
    sources = [ENGINES / "common.py", *sorted(place.glob("*.py"))]
    files = {f"{root}/{path.name}": (path.read_bytes(), 0o644) for path in sources if path.name != SEVERAL}
    for path in sorted(place.glob("*.documented.yml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        files[f"{root}/{path.stem}.json"] = (json.dumps(content).encode(), 0o644)
    return files


def programs(folder: str) -> dict[str, tuple[bytes, int]]:
    """Return the programs of a folder's one image, each of which starts its double."""
    return {
        program: (f'#!/bin/sh\nexec python3 /usr/lib/{folder}-doubles/{double}.py "$@"\n'.encode(), 0o755)
        for program, double in PROGRAMS[folder].items()
    }


def main() -> None:
    """Write everything into the directory that is named."""
    folder, target = sys.argv[1], Path(sys.argv[2]).resolve()
    target.mkdir(parents=True, exist_ok=True)
    packing, own = loaded(ENGINES / "build.py"), HERE / folder / SEVERAL
    if own.is_file():
        several = loaded(own)
        recipe, files = packing.base_recipe(several.PACKAGES), doubles(folder) | several.added_files()
        document = several.told(packing.build_several(target, folder, recipe, files, several.CONFIGS), target)
    else:
        recipe, files = packing.base_recipe(("python3", "python3-yaml")), doubles(folder) | programs(folder)
        document = {"image": packing.build(target, folder, recipe, files)}
    text = yaml.safe_dump(document, sort_keys=False)
    (target / "doubles.yml").write_text(f"---\n{text}", encoding="utf-8")


if __name__ == "__main__":
    main()
