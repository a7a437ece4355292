"""Grafana's files as the double reads them: settings from the environment, datasources, dashboards."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from common import fail, say

Json = dict[str, Any]
_FILE = re.compile(r"\$__file\{([^}]+)\}")


def variables(known: Mapping[str, list[str]]) -> dict[str, str]:
    """Return the name of the variable of each setting -> section.key."""
    return {
        f"GF_{section}_{key}".upper().replace(".", "_").replace("-", "_"): f"{section}.{key}"
        for section, keys in known.items()
        for key in keys
    }


def settings(known: Mapping[str, list[str]], environ: Mapping[str, str]) -> dict[str, str]:
    """Return settings by section.key; end at one that is not documented, or at a file that is not there."""
    names = variables(known)
    found = {}
    for name, value in environ.items():
        if not name.startswith("GF_"):
            continue
        plain = name.removesuffix("__FILE")
        if plain not in names:
            fail(f"unknown environment: {name}")
        found[names[plain]] = Path(value).read_text(encoding="utf-8") if plain != name else value
    return found


def _only(known: list[str], given: Mapping[str, Any], where: str) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        fail(f"{where}: unknown keys {', '.join(unknown)}")


def expanded(text: str) -> str:
    """Return a value with its `$__file{…}` filled in."""
    return _FILE.sub(lambda found: Path(found[1]).read_text(encoding="utf-8").strip(), text)


def datasources(known: Json, directory: Path) -> dict[str, Json]:
    """Return the datasources of all files, by uid."""
    found: dict[str, Json] = {}
    for path in sorted(directory.glob("*.y*ml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        _only(known["file"], content, str(path))
        if content.get("apiVersion") != 1:
            fail(f"{path}: apiVersion must be 1")
        for item in content.get("datasources") or []:
            _only(known["each"], item, f"{path}: {item.get('name')}")
            keys = known["json"]["all"] + known["json"].get(item["type"], [])
            _only(keys, item.get("jsonData") or {}, f"{path}: {item['name']}: jsonData")
            secrets = item.get("secureJsonData") or {}
            _only(known["secure"], secrets, f"{path}: {item['name']}: secureJsonData")
            found[item["uid"]] = {
                **item,
                "secureJsonData": {key: expanded(value) for key, value in secrets.items()},
            }
    if len([item for item in found.values() if item.get("isDefault")]) > 1:
        fail(
            "datasource.yaml config is invalid. Only one datasource per organization can be marked as default"
        )
    return found


def providers(known: Json, directory: Path) -> list[Json]:
    """Return where dashboards come from."""
    found: list[Json] = []
    for path in sorted(directory.glob("*.y*ml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        _only(known["file"], content, str(path))
        for item in content["providers"]:
            _only(known["each"], item, f"{path}: {item.get('name')}")
            _only(known["options"], item["options"], f"{path}: {item['name']}: options")
            found.append(item)
    return found


def dashboards(sources: list[Json]) -> dict[str, Json]:
    """Return the dashboards that lie there now, by uid; what is no dashboard is passed over."""
    found: dict[str, Json] = {}
    for source in sources:
        for path in sorted(Path(source["options"]["path"]).glob("**/*.json")):
            try:
                content = json.loads(path.read_text(encoding="utf-8"))
                uid = content["uid"]
                assert content["title"]
            except (OSError, ValueError, KeyError, AssertionError) as error:
                say(f"level=error msg=failed to load dashboard file={path} error={error!r}")
                continue
            if uid in found:
                say(f"level=error msg=the same UID is used more than once uid={uid}")
                continue
            found[uid] = {
                "folder": source["folder"],
                "folderUid": source.get("folderUid"),
                "dashboard": content,
            }
    return found
