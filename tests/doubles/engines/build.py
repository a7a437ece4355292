"""Packs the doubles of the engines into one container image, as the lab packs its own.

    python tests/doubles/engines/build.py DIRECTORY

writes DIRECTORY/engines-doubles.tar.gz, and DIRECTORY/doubles.yml with the image (name, archive, image_id,
sha256) and the models of the tests: a GGUF file, and a directory as vLLM reads it. The image is labelled as
one of doubles; each engine's role starts in it what it would start in the engine's own image.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

import yaml

from rackwright.lab.artifacts import CREATED, EPOCH
from rackwright.lab.cache import exclusive
from rackwright.lab.image_archive import file_sha256, write_images
from rackwright.lab.images import architecture, build_archive
from rackwright.lab.mirror import find_mirror
from rackwright.lab.recipe import ImageFile, Recipe, sources_of
from rackwright.lab.tiny_model import write_tiny_model
from rackwright.site.paths import cache_directory

HERE = Path(__file__).parent
RELEASE = "trixie"
ROOT = "usr/lib/engine-doubles"
# Command in the image -> the double that it is. A module is what `python3 -m` is given.
COMMANDS = {"usr/bin/ollama": "ollama", "usr/bin/local-ai": "localai"}
MODULES = {"vllm.entrypoints.openai.api_server": "vllm"}
# Doubles that have their engine's own modules are found in ROOT, after the packages of the image.
SEARCHED = "usr/lib/python3/dist-packages/engine-doubles.pth"
_LEFT_OUT = ("/usr/share/man", "/usr/share/doc", "/usr/share/locale", "/usr/share/info", "/usr/share/lintian")
# Where the models' store has a model on its host.
MODEL = "/var/lib/rackwright/models/served-double"
# Models to switch to, in both forms, and what each says: the second is what no golden prompt wants.
BUNDLE = {"double-next": "well", "double-wrong": "nonsense"}
# A model of one layer, as vLLM's double looks at it.
VLLM_CONFIG = {"architectures": ["Double"], "max_position_embeddings": 4096, "num_attention_heads": 8}


def base_recipe(packages: tuple[str, ...] = ("python3",)) -> Recipe:
    """Return the recipe of the image's system: Debian with Python, for all doubles."""
    return Recipe(
        name="engine-double",
        release=RELEASE,
        architecture=architecture(),
        sources=sources_of(RELEASE, find_mirror()),
        packages=packages,
        files=(
            ImageFile(
                "/etc/rackwright-double", "Doubles for tests; no program of the real ones is in it.\n", 0o644
            ),
        ),
        commands=("rm -rf /var/cache/* /var/lib/apt /var/log/* /usr/share/bash-completion",),
        variant="essential",
        options=tuple(f"--dpkgopt=path-exclude={path}/*" for path in _LEFT_OUT),
    )


def added_files() -> dict[str, tuple[bytes, int]]:
    """Return what goes into the image beside the system: path -> content and mode."""
    files = {
        f"{ROOT}/{path.relative_to(HERE)}": (path.read_bytes(), 0o644)
        for path in sorted(HERE.rglob("*.py"))
        if path != Path(__file__)
    }
    files[SEARCHED] = (f"/{ROOT}\n".encode(), 0o644)
    for path in sorted(HERE.glob("*.documented.yml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        files[f"{ROOT}/{path.stem}.json"] = (json.dumps(content).encode(), 0o644)
    for command, double in COMMANDS.items():
        text = f'#!/bin/sh\nexec python3 /{ROOT}/{double}.py "$@"\n'
        files[command] = (text.encode(), 0o755)
    for module, double in MODULES.items():
        *packages, last = module.split(".")
        place = "usr/lib/python3/dist-packages"
        for package in packages:
            place = f"{place}/{package}"
            files[f"{place}/__init__.py"] = (b'"""A double."""\n', 0o644)
        text = f"import runpy, sys\nsys.path.insert(0, '/{ROOT}')\n"
        text += f"runpy.run_path('/{ROOT}/{double}.py', run_name='__main__')\n"
        files[f"{place}/{last}.py"] = (text.encode(), 0o644)
    return files


def add_to(system: Path, files: dict[str, tuple[bytes, int]]) -> None:
    """Append files to the archive of a root file system."""
    with tarfile.open(system, "a") as archive:
        known = set(archive.getnames())
        for name, (content, mode) in sorted(files.items()):
            parents = [str(parent) for parent in reversed(Path(name).parents) if str(parent) != "."]
            for parent in parents:
                if f"./{parent}" not in known and parent not in known:
                    member = tarfile.TarInfo(f"./{parent}")
                    member.type, member.mode, member.mtime = tarfile.DIRTYPE, 0o755, EPOCH
                    archive.addfile(member)
                    known.add(parent)
            member = tarfile.TarInfo(f"./{name}")
            member.size, member.mode, member.mtime = len(content), mode, EPOCH
            archive.addfile(member, io.BytesIO(content))


def build(target: Path, kind: str, recipe: Recipe, files: dict[str, tuple[bytes, int]]) -> dict[str, object]:
    """Make the image unless one of the same content is in the cache; returns what a role is told of it.

    Args:
        target: Where its archive goes.
        kind: Whose doubles they are.
        recipe: Of its system.
        files: What comes on top: path -> content and mode.
    """
    return build_several(target, kind, recipe, files, {kind: {}})[kind]


def build_several(
    target: Path,
    kind: str,
    recipe: Recipe,
    files: dict[str, tuple[bytes, int]],
    configs: dict[str, dict[str, object]],
) -> dict[str, dict[str, object]]:
    """Make images of one system that start different programs, in one archive.

    Args:
        target: As for one image; so are the others.
        kind: As for one image.
        recipe: As for one image.
        files: As for one image.
        configs: Image -> what is said of it beside path and labels (`Entrypoint`).
    """
    material = json.dumps(
        [
            recipe.digest,
            [[name, hashlib.sha256(content).hexdigest(), mode] for name, (content, mode) in files.items()],
            configs,
        ]
    )
    digest = hashlib.sha256(material.encode()).hexdigest()[:12]
    kept = cache_directory("artifacts") / f"{kind}-doubles-{digest}.tar.gz"
    described = kept.with_suffix("").with_suffix(".json")
    with exclusive(f"{kind}-doubles"):
        if not (kept.is_file() and described.is_file()):
            with tempfile.TemporaryDirectory(prefix="build-", dir=cache_directory("images")) as work:
                system, draft = Path(work) / "system.tar", Path(work) / "image.tar.gz"
                base = cache_directory("artifacts") / f"engine-double-base-{recipe.digest}.tar"
                if not base.is_file():
                    build_archive(recipe, system, Path(work), epoch=EPOCH)
                    shutil.move(system, base)
                shutil.copyfile(base, system)
                add_to(system, files)
                told: dict[str, dict[str, object]] = {
                    f"rackwright/double-{name}:{digest}": {
                        "Env": ["PATH=/usr/bin:/bin"],
                        "Labels": {"rackwright.image": "double", "rackwright.double": name},
                        **config,
                    }
                    for name, config in configs.items()
                }
                written = write_images(system, draft, told, recipe.architecture, CREATED)
                shutil.move(draft, kept)
            images = {
                name: {
                    "name": tag,
                    "image_id": written[tag].image_id,
                    "sha256": written[tag].sha256,
                    "package_version": "double",
                }
                for name, tag in zip(configs, told, strict=True)
            }
            described.write_text(json.dumps(images), encoding="utf-8")
        archive = target / f"{kind}-doubles.tar.gz"
        archive.unlink(missing_ok=True)
        shutil.copyfile(kept, archive)
    found = json.loads(described.read_text(encoding="utf-8"))
    return {name: {**image, "archive": str(archive)} for name, image in found.items()}


def models(target: Path) -> dict[str, object]:
    """Make the models of the tests."""
    gguf = target / "double.gguf"
    write_tiny_model(gguf)
    files = {
        "config.json": json.dumps(VLLM_CONFIG).encode(),
        "model.safetensors": b"\x02\x00\x00\x00\x00\x00\x00\x00{}",
    }
    for name, content in files.items():
        (target / name).write_bytes(content)
    return {
        "gguf": {"file": str(gguf), "sha256": file_sha256(gguf)},
        "directory": [
            {"dest": f"{MODEL}/{name}", "source": str(target / name), "sha256": file_sha256(target / name)}
            for name in files
        ],
    }


def bundle(target: Path, gguf: Path) -> str:
    """Make the models to switch to, as `model_sources` takes a folder."""
    for name, voice in BUNDLE.items():
        config = {**VLLM_CONFIG, "double": {"says": voice}}
        forms = {
            "f32": {"model.gguf": gguf.read_bytes() + b"DOUBLE:" + voice.encode()},
            "bf16": {
                "config.json": json.dumps(config).encode(),
                "model.safetensors": b"\x02" + bytes(7) + b"{}",
            },
        }
        for quantisation, files in forms.items():
            directory = target / name / quantisation
            directory.mkdir(parents=True, exist_ok=True)
            for path, content in files.items():
                (directory / path).write_bytes(content)
            described = {
                "model": name, "quantisation": quantisation, "source": "folder", "name": name, "revision": "",
                "licence": "CC0-1.0", "licence_of_source": "",
                "files": [
                    {"path": path, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                    for path, content in files.items()
                ],
            }  # fmt: skip
            (directory / "manifest.json").write_text(json.dumps(described), encoding="utf-8")
    return str(target)


def main() -> None:
    """Write everything into the directory that is named."""
    target = Path(sys.argv[1]).resolve()
    target.mkdir(parents=True, exist_ok=True)
    image = build(target, "engines", base_recipe(), added_files())
    document = {"image": image, "models": models(target)}
    document["bundle"] = bundle(target / "bundle", target / "double.gguf")
    (target / "doubles.yml").write_text("---\n" + yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


if __name__ == "__main__":
    main()
