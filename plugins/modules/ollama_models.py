"""See to the models of an Ollama server: the half that runs on its host."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright.ollama_api import Ollama, OllamaError, checksum, link_blob
from ansible.module_utils.rackwright.verified import Watch

DOCUMENTATION = r"""
---
module: ollama_models
short_description: See to the models of an Ollama server
description:
  - Sees to it that an Ollama server has models, made of GGUF files on its host or pulled from a registry.
  - A file is put into the server's store as a second name of it where that is possible, else sent over its
    API, which checks the checksum. A model is made anew when its file, or what is said of it, has changed.
  - Other models of the server are left alone, but those that it is told not to have.
options:
  url:
    description: Where the server is, C(http://<address>:<port>).
    type: str
    required: true
  store:
    description: Its directory of models on the host (OLLAMA_MODELS).
    type: path
    required: true
  models:
    description: The models.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: C(name:tag), as callers ask for it.
        type: str
        required: true
      file:
        description: Its GGUF file on the host.
        type: path
      sha256:
        description: Checksum of the file.
        type: str
      pull:
        description: What to pull it as, instead of a file.
        type: str
      template:
        description: Its prompt template.
        type: str
      system:
        description: Its system prompt.
        type: str
      license:
        description: Its licence.
        type: str
      parameters:
        description: Its parameters.
        type: dict
  absent:
    description: Names of models that the server is not to have.
    type: list
    elements: str
    default: []
  pull:
    description: Whether anything may be pulled.
    type: bool
    default: false
  seconds:
    description: How long one step of the server may take.
    type: int
    default: 600
author: Rackwright
"""

EXAMPLES = r"""
- name: See to the models
  ollama_models:
    url: http://10.0.20.11:11434
    store: /var/lib/rackwright/ollama/models
    models:
      - name: qwen3:8b
        file: /var/lib/rackwright/models/qwen3-8b.gguf
        sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
        parameters: {stop: ["<|im_end|>"], num_ctx: 8192}
"""

RETURN = r"""
items:
  description: What was done for each model, in the given order.
  returned: always
  type: list
  elements: dict
  sample: [{name: "qwen3:8b", changed: true, reason: "missing"}]
"""

# What was said of each model when it was made, beside its digest.
RECORD = "rackwright-models.json"


def definition_of(model: dict[str, Any]) -> str:
    """Return the fingerprint of all that is said of a model, but the place of its file."""
    told = {key: value for key, value in model.items() if key != "file" and value is not None}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def reason_to_make(model: dict[str, Any], there: dict[str, str], record: dict[str, Any]) -> str:
    """Say why a model must be made; empty when it is as wanted."""
    name = model["name"]
    if name not in there:
        return "missing"
    made = record.get(name, {})
    if made.get("digest") != there[name]:
        return "not made by this role" if not made else "changed since it was made"
    return "" if made.get("definition") == definition_of(model) else "defined anew"


def make(server: Ollama, model: dict[str, Any], store: Path, may_pull: bool) -> None:
    """Make one model."""
    if model["pull"]:
        if not may_pull:
            raise OllamaError(
                f"{model['name']} would have to be pulled, and ollama_pull is false: bring its file"
            )
        server.pull(model["pull"])
        if model["pull"] != model["name"]:
            server.copy(model["pull"], model["name"])
        return
    file = Path(model["file"])
    if not file.is_file():
        raise OllamaError(f"{model['name']}: its file {file} is not on the host")
    blobs = store / "blobs"
    if not server.has_blob(model["sha256"]):
        # A name in the store promises the content: it is given to nothing that was not read.
        found = checksum(file)
        if found != model["sha256"]:
            raise OllamaError(f"{file} has SHA-256 {found}, not {model['sha256']}")
        if not (blobs.is_dir() and link_blob(file, blobs, found) and server.has_blob(found)):
            server.upload(file, found)
    server.create(model)


def ensure(module: AnsibleModule) -> dict[str, Any]:
    """See to all models."""
    server = Ollama(module.params["url"], module.params["seconds"])
    store = Path(module.params["store"])
    path = store / RECORD
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        record = {}
    try:
        there = server.tags()
    except OllamaError:
        if not module.check_mode:
            raise
        # The server would be started by the task before.
        there = {}
    results = []
    for model in module.params["models"]:
        reason = reason_to_make(model, there, record)
        results.append({"name": model["name"], "changed": bool(reason), "reason": reason})
        if not reason or module.check_mode:
            continue
        make(server, model, store, module.params["pull"])
        digest = server.tags().get(model["name"])
        if digest is None:
            raise OllamaError(f"{model['name']} was made, and the server does not list it")
        record[model["name"]] = {"definition": definition_of(model), "digest": digest}
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        os.replace(draft, path)  # noqa: PTH105 - the same step, without a second name for it
    for name in module.params["absent"]:
        full = name if ":" in name.rpartition("/")[2] else f"{name}:latest"
        results.append(
            {"name": full, "changed": full in there, "reason": "not wanted" if full in there else ""}
        )
        if full in there and not module.check_mode:
            server.remove(full)
    return {"changed": any(result["changed"] for result in results), "items": results}


def main() -> None:
    """Run the module."""
    text = {"type": "str"}
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "store": {"type": "path", "required": True},
            "models": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "file": {"type": "path"},
                    "parameters": {"type": "dict"},
                    **dict.fromkeys(("sha256", "pull", "template", "system", "license"), text),
                },
            },
            "absent": {"type": "list", "elements": "str", "default": []},
            "pull": {"type": "bool", "default": False},
            "seconds": {"type": "int", "default": 600},
        },
        supports_check_mode=True,
    )
    store = module.params["store"]
    files = [model["file"] for model in module.params["models"] if model["file"]]
    # What Ollama has is in its manifests: a model that is removed, or another of the name, is seen there.
    watch = Watch(module, {"paths": [*files, f"{store}/{RECORD}"], "trees": [f"{store}/manifests"]})
    try:
        result = ensure(module)
    except (OllamaError, OSError) as error:
        module.fail_json(msg=f"ollama_models: {error}")
    watch.keep(result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
