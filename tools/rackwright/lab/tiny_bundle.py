"""Further tiny models of the lab, as a bundle: what `rackwright models switch` is rehearsed with."""

from __future__ import annotations

import json
from pathlib import Path

from rackwright.lab.image_archive import file_sha256
from rackwright.lab.tiny_model import write_tiny_model

QUANTISATION = "f32"
# tiny-other answers otherwise than the first; tiny-silent ends each answer at once; tiny-garbage is a model
# in its first bytes only, so that it does not load.
MODELS = ("tiny-other", "tiny-silent", "tiny-garbage")
_FILE = "model.gguf"


def provide(directory: Path) -> Path:
    """Write the bundle; returns its directory.

    Args:
        directory: Where; <model>/<quantisation>/manifest.json and the file beside it.
    """
    for name in MODELS:
        path = directory / name / QUANTISATION / _FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".new")
        if name == "tiny-garbage":
            draft.write_bytes(b"GGUF\x03\x00\x00\x00" + b"\xff" * 4096)
        else:
            write_tiny_model(draft, name=name, silent=name == "tiny-silent")
        draft.replace(path)
        _describe(path, name)
    return directory


def _describe(path: Path, name: str) -> None:
    manifest = {
        "model": name,
        "quantisation": QUANTISATION,
        "source": "folder",
        "name": name,
        "revision": "",
        "licence": "CC0-1.0",
        "licence_of_source": "",
        "files": [{"path": path.name, "size": path.stat().st_size, "sha256": file_sha256(path)}],
    }
    (path.parent / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
