"""Keep models' files on a host: the half that runs there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright.artifact_files import is_url, make_directories
from ansible.module_utils.rackwright.model_fetch import fetch
from ansible.module_utils.rackwright.model_store import HostStore, ModelError
from ansible.module_utils.rackwright.verified import Watch

DOCUMENTATION = r"""
---
module: model_store
short_description: Keep models' files on a host
description:
  - Sees to it that builds of models are on the host, each file once, by its content, however many models and
    engines use it.
  - What comes from the control node is streamed over the connection in pieces; what comes from a mirror the
    host fetches itself. Both go on where an earlier run was cut.
  - Room is checked before anything comes. One writer at a time; a file is taken only when its SHA-256 is
    right.
  - What was found right is remembered with what changes whenever a file does, so that gigabytes are not read
    in every run.
options:
  root: {description: Directory of the store., type: path, required: true}
  wanted:
    description: The builds, as {model, quantisation}; resolved by the action.
    type: list
    elements: dict
    default: []
  places:
    description: Where the action looks for them, in this order. Directories of the control node (a store, a
      bundle) and URLs of mirrors.
    type: list
    elements: str
    default: []
  accept_licences:
    description: Licences that the site accepts beside the free ones.
    type: list
    elements: str
    default: []
  prune: {description: Whether builds that are not wanted are removed., type: bool, default: false}
  verify: {description: Whether all content is read again., type: bool, default: false}
  mend:
    description: Whether damaged content is fetched again; otherwise it is told only.
    type: bool
    default: true
  all_held:
    description: Take what the host holds for what is wanted; for O(verify). The action asks the host for it.
    type: bool
    default: false
  look: {description: Tell what is here and do nothing else., type: bool, default: false}
  reserve_mb: {description: Megabytes that stay free beside the files., type: int, default: 1024}
  wait_seconds: {description: How long another writer is waited for., type: int, default: 60}
  ca_file: {description: Authority on the host that mirrors are checked against., type: path}
  builds:
    description: Manifests with a source for each file; set by the action.
    type: list
    elements: dict
    default: []
  arrived: {description: Content that was sent; set by the action., type: list, elements: str, default: []}
  writer: {description: Who sends it; set by the action., type: str, default: ""}
author: Rackwright
"""

EXAMPLES = r"""
- name: Bring the models
  model_store:
    root: /var/lib/rackwright/model-store
    wanted: [{model: qwen3-8b, quantisation: q4_k_m}]
    places: [/srv/models, "http://10.0.0.5/models"]
"""

RETURN = r"""
items: {description: What was done for each build., returned: always, type: list, elements: dict}
held: {description: Manifests of all builds that are here., returned: always, type: list, elements: dict}
damaged:
  description: Files with another content than they should have, as `model quantisation path`.
  returned: always
  type: list
removed: {description: Builds that were dropped., returned: always, type: list}
"""


def files_of(builds: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the files of all builds by their content."""
    return {str(each["sha256"]): each for build in builds for each in build["files"]}


def named(builds: list[dict[str, Any]], contents: set[str]) -> list[str]:
    """Return the files that have one of these contents, as an operator knows them."""
    return [
        f"{build['model']} {build['quantisation']} {each['path']}"
        for build in builds
        for each in build["files"]
        if each["sha256"] in contents
    ]


def plain(build: dict[str, Any]) -> dict[str, Any]:
    """Return a build as it is recorded: without where its files were taken from."""
    files = [{key: each[key] for key in ("path", "size", "sha256")} for each in build["files"]]
    return {**build, "files": files}


def lacking(store: HostStore, files: dict[str, dict[str, Any]], *, read: bool) -> tuple[set[str], set[str]]:
    """Return the content that is missing or wrong, and of that what is wrong."""
    missing = {
        sha256 for sha256, each in files.items() if not store.whole(sha256, int(each["size"]), read=read)
    }
    # Where all is looked at, what is gone is damage, too.
    return missing, {sha256 for sha256 in missing if read or store.blob(sha256).exists()}


def bring(params: dict[str, Any], store: HostStore, missing: set[str]) -> tuple[dict[str, int], str]:
    """Fetch what the host can fetch.

    Returns:
        What has to be sent, with how much of it is there; and who else sends it, or nothing.
    """
    files = files_of(params["builds"])
    here = {sha256 for sha256 in missing if is_url(str(files[sha256]["source"]))}
    for sha256 in sorted(here):
        fetch(store, files[sha256], params["ca_file"])
    waiting = {}
    for sha256 in sorted(missing - here):
        if params["writer"] and (other := store.claim(sha256, params["writer"])):
            return {}, other
        make_directories(store.partial(sha256).parent)
        waiting[sha256] = store.collected(sha256, int(files[sha256]["size"]))
    return waiting, ""


def settle(module: AnsibleModule, store: HostStore, changed: list[dict[str, Any]]) -> list[str]:
    """Put builds in place whose content is here, drop others where that is asked; return what was dropped."""
    builds, dry = [plain(build) for build in module.params["builds"]], module.check_mode
    if not dry:
        for build in changed:
            store.record(build)
    removed = store.drop_others(builds, dry=dry) if module.params["prune"] else []
    if not dry:
        store.remember(builds)
    return removed


def ensure(module: AnsibleModule, store: HostStore) -> dict[str, Any]:
    """Do what one call can do, and say what has to be sent."""
    params = module.params
    builds = [plain(build) for build in params["builds"]]
    files = files_of(params["builds"])
    sizes = {sha256: int(each["size"]) for sha256, each in files.items()}
    refused = [sha256 for sha256 in params["arrived"] if not store.adopt(sha256, sizes[sha256])]
    missing, damaged = lacking(store, files, read=params["verify"] and not params["arrived"])
    result: dict[str, Any] = {"damaged": named(builds, damaged), "refused": refused, "removed": []}
    result |= {"changed": False, "items": [], "waiting": {}}
    if damaged and not params["mend"]:
        return {**result, "held": store.held()}
    store.require_space(
        sum(sizes[sha256] - store.collected(sha256, sizes[sha256]) for sha256 in missing),
        params["reserve_mb"] << 20,
    )
    if not module.check_mode:
        result["waiting"], busy = bring(params, store, missing)
        if busy:
            return {**result, "held": [], "busy": busy}
    changed = [build for build in builds if named([build], missing) or not store.recorded(build)]
    if not result["waiting"]:
        result["removed"] = settle(module, store, changed)
    result["items"] = [
        {"name": f"{build['model']} {build['quantisation']}", "changed": build in changed} for build in builds
    ]
    return {**result, "changed": bool(changed or result["removed"]), "held": store.held()}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "wanted": {"type": "list", "elements": "dict", "default": []},
            "places": {"type": "list", "elements": "str", "default": []},
            "accept_licences": {"type": "list", "elements": "str", "default": []},
            "prune": {"type": "bool", "default": False},
            "verify": {"type": "bool", "default": False},
            "mend": {"type": "bool", "default": True},
            "look": {"type": "bool", "default": False},
            "reserve_mb": {"type": "int", "default": 1024},
            "wait_seconds": {"type": "int", "default": 60},
            "ca_file": {"type": "path"},
            "all_held": {"type": "bool", "default": False},
            "builds": {"type": "list", "elements": "dict", "default": []},
            "arrived": {"type": "list", "elements": "str", "default": []},
            "writer": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    params = module.params
    store = HostStore(Path(params["root"]))
    looked_at = [str(store.blob(sha256)) for sha256 in files_of(params["builds"])]
    looked_at += [str(store.manifest(build)) for build in params["builds"]]
    looked_at += [
        str(store.tree(build) / each["path"]) for build in params["builds"] for each in build["files"]
    ]
    # What is pruned is whatever else there may be.
    everything = [str(store.root / "models")] if params["prune"] else []
    watch = Watch(module, {"paths": looked_at, "trees": everything})
    try:
        if params["look"]:
            result: dict[str, Any] = {"changed": False, "items": [], "held": store.held()}
        elif module.check_mode or (not params["mend"] and params["verify"]):
            result = ensure(module, store)
        else:
            with store.writing(params["wait_seconds"]):
                result = ensure(module, store)
    except (ModelError, OSError) as error:
        module.fail_json(msg=f"models: {error}")
    if not (params["look"] or params["verify"] or result["waiting"]):
        watch.keep(result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
