"""Packs the doubles of Dify's images into one archive of several images, which share their one layer.

    python tests/doubles/dify/build.py DIRECTORY

writes DIRECTORY/dify-doubles.tar.gz, and DIRECTORY/doubles.yml with `images` as roles/dify takes them, and
`next` and `broken`: the api's image of two further releases. Squid in it is Debian's, the real one.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import yaml

from rackwright.foundry.package import packed

HERE = Path(__file__).parent
ENGINES = HERE.parent / "engines"
FACTS = HERE.parents[1] / "data/dify/release.yml"
ROOT = "usr/lib/dify-doubles"
PACKAGES = ("python3", "python3-yaml", "python3-psycopg2", "python3-redis", "python3-venv", "curl", "squid")
# Image -> what it starts.
STARTS = {
    "api": ["api.py", "1.17.0"],
    "api-next": ["api.py", "1.17.1"],
    "api-broken": ["api.py", "1.18.0-broken"],
    "web": ["web.py"],
    "plugin_daemon": ["plugin_daemon.py"],
    "sandbox": ["sandbox.py"],
    "ssrf_proxy": [],
}
# What the release's own health checks are called in its images.
CELERY = "#!/bin/sh\n# A double of Celery's command, as far as a health check asks it.\ntest -e /tmp/ready\n"
NODE = "#!/bin/sh\n# A double of Node, as far as a health check asks it.\nexec curl -sf -o /dev/null http://127.0.0.1:3000/\n"


PLUGIN = "openai_api_compatible.difypkg"
# Debian's, in the image; the release's has 3.12.
PYTHON = "3.13"


def plugin() -> bytes:
    """Return a package that stands for the provider's, with a requirement from an index."""
    manifest = {
        "version": "0.0.1", "type": "plugin", "author": "double", "name": "openai_api_compatible",
        "label": {"en_US": "A double of the provider"}, "description": {"en_US": "A double"},
        "icon": "icon.svg", "created_at": "2026-01-01T00:00:00Z", "resource": {"memory": 1048576},
        "plugins": {"models": ["provider/openai_api_compatible.yaml"]},
        "meta": {"version": "0.0.1", "arch": ["amd64", "arm64"],
                 "runner": {"language": "python", "version": PYTHON, "entrypoint": "main"}},
    }  # fmt: skip
    files = {
        "manifest.yaml": yaml.safe_dump(manifest).encode(),
        "main.py": b"import yaml\n",
        "provider/openai_api_compatible.yaml": b"provider: openai_api_compatible\n",
        "_assets/icon.svg": b"<svg/>",
        "requirements.txt": b"PyYAML>=6\n",
    }
    return packed(files, b"")


def _engines() -> ModuleType:
    spec = importlib.util.spec_from_file_location("engine_doubles", ENGINES / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def uv() -> bytes:
    """Return the real program, from the package of the tests."""
    return Path(sys.executable).with_name("uv").read_bytes()


def added_files() -> dict[str, tuple[bytes, int]]:
    """Return what goes into the images beside the system: path -> content and mode."""
    sources = [ENGINES / "common.py", *sorted(path for path in HERE.glob("*.py") if path != Path(__file__))]
    files = {f"{ROOT}/{path.name}": (path.read_bytes(), 0o644) for path in sources}
    facts = yaml.safe_load(FACTS.read_text(encoding="utf-8"))
    files[f"{ROOT}/release.json"] = (json.dumps(facts).encode(), 0o644)
    files |= {"usr/bin/celery": (CELERY.encode(), 0o755), "usr/bin/node": (NODE.encode(), 0o755)}
    return files | {"usr/bin/uv": (uv(), 0o755)}


def main() -> None:
    """Write everything into the directory that is named."""
    engines = _engines()
    target = Path(sys.argv[1]).resolve()
    target.mkdir(parents=True, exist_ok=True)
    configs = {
        name: {"Entrypoint": ["/usr/bin/python3", f"/{ROOT}/{start[0]}", *start[1:]]} if start else {}
        for name, start in STARTS.items()
    }
    images = engines.build_several(target, "dify", engines.base_recipe(PACKAGES), added_files(), configs)
    document = {
        "images": {name: images[name] for name in ("api", "web", "plugin_daemon", "sandbox", "ssrf_proxy")},
        "next": images["api-next"],
        "broken": images["api-broken"],
    }
    (target / PLUGIN).write_bytes(plugin())
    (target / "doubles.yml").write_text("---\n" + yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


if __name__ == "__main__":
    main()
