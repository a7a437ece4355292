"""Set Dify up by its own API: the first account, plugins, models."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright.dify_api import Console, DifyError, waited_for
from ansible.module_utils.rackwright.dify_package import PackageError, read_package

DOCUMENTATION = r"""
---
module: dify_console
short_description: Set Dify up by its own API
description:
  - Makes the first account, which closes the set-up page for everybody else; installs plugins from packages
    on the host; registers the site's models with a provider, so that people find them ready, and makes
    the first of each type the default where none is chosen.
  - Models that people registered themselves are left alone. Those that it registered and that the site serves
    no more are taken out.
options:
  url: {description: "Where the api is, C(http://<address>:<port>).", type: str, required: true}
  init_password: {description: What the set-up asks for (INIT_PASSWORD)., type: str, required: true}
  email: {description: Address of the first account., type: str, required: true}
  name: {description: Its name., type: str, required: true}
  password: {description: Its password., type: str, required: true}
  language: {description: Its language., type: str, default: en-US}
  plugins: {description: Packages on the host., type: list, elements: path, default: []}
  provider: {description: The provider that models are registered with., type: str, required: true}
  models:
    description: The site's models.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name that the endpoint knows it by., type: str, required: true}
      type: {description: What it does., type: str, choices: [llm, text-embedding, rerank], required: true}
      credentials: {description: What the provider is told of it., type: dict, required: true}
  seconds: {description: How long a step may take., type: int, default: 600}
author: Rackwright
"""

EXAMPLES = r"""
- name: Set Dify up
  dify_console:
    url: http://10.0.20.11:5001
    init_password: "{{ vault_dify_init_password }}"
    email: admin@example.com
    name: admin
    password: "{{ vault_dify_admin_password }}"
    plugins: [/var/lib/rackwright-dify/packages/openai_api_compatible.difypkg]
    provider: langgenius/openai_api_compatible/openai_api_compatible
    models:
      - name: qwen3:8b
        type: llm
        credentials: {endpoint_url: "https://10.0.20.12:8443/v1", api_key: "{{ key }}", mode: chat}
"""

RETURN = r"""
items:
  description: What was done, each C({what, name, changed, reason}).
  returned: always
  type: list
  elements: dict
  sample: [{what: model, name: "qwen3:8b", changed: true, reason: registered}]
"""

# By this name of its credentials a model is known to be ours, and to be as wanted.
MARK = "rackwright "
PAGE = {"page": "1", "page_size": "256"}

Item = dict[str, Any]


def item(what: str, name: str, reason: str) -> Item:
    """Return an entry of the result; a reason means a change."""
    return {"what": what, "name": name, "changed": bool(reason), "reason": reason}


def set_up(console: Console, params: dict[str, Any], *, check: bool) -> Item:
    """Make the first account, unless there is one."""
    done = console.ask("GET", "/setup")["step"] == "finished"
    if not done and not check:
        console.ask("POST", "/init", {"password": params["init_password"]})
        account = {key: params[key] for key in ("email", "name", "password", "language")}
        console.ask("POST", "/setup", account)
    return item("account", params["email"], "" if done else "made; the set-up is closed")


def install(console: Console, path: str, there: list[Item], params: dict[str, Any], *, check: bool) -> Item:
    """Install a plugin, in the place of another version of it."""
    package = read_package(Path(path))
    if any(plugin["plugin_unique_identifier"] == package.identifier for plugin in there):
        return item("plugin", package.plugin_id, "")
    others = [plugin for plugin in there if plugin["plugin_id"] == package.plugin_id]
    if not check:
        sent = console.upload(
            "/workspaces/current/plugin/upload/pkg", "pkg", Path(path).name, Path(path).read_bytes()
        )
        # As the page does: a package has no other way in the place of one that is there.
        for plugin in others:
            console.ask(
                "POST",
                "/workspaces/current/plugin/uninstall",
                {"plugin_installation_id": plugin["installation_id"]},
            )
        wanted = {"plugin_unique_identifiers": [sent["unique_identifier"]]}
        begun = console.ask("POST", "/workspaces/current/plugin/install/pkg", wanted)
        if not begun.get("all_installed"):
            waited_for(console, begun["task_id"], params["seconds"])
    return item("plugin", package.plugin_id, "another version" if others else "installed")


def credential_name(model: Item) -> str:
    """Return the name of a model's credentials: it changes with them, and gives nothing of them away."""
    text = json.dumps([model["name"], model["type"], model["credentials"]], sort_keys=True)
    return MARK + hashlib.sha256(text.encode()).hexdigest()[:16]


def register(console: Console, base: str, model: Item, *, check: bool) -> Item:
    """Register a model, or tell the provider anew what has changed of it."""
    about = {"model": model["name"], "model_type": model["type"]}
    found = console.ask("GET", f"{base}/models/credentials", **about, config_from="custom-model")
    name, known = credential_name(model), found.get("current_credential_name") or ""
    if known == name:
        return item("model", model["name"], "")
    told = {**about, "name": name, "credentials": model["credentials"]}
    ours = known.startswith(MARK)
    if not check:
        if ours:
            told["credential_id"] = found["current_credential_id"]
        console.ask("PUT" if ours else "POST", f"{base}/models/credentials", told)
    return item("model", model["name"], "told anew" if ours else "registered")


def retire(console: Console, base: str, wanted: list[Item], *, check: bool) -> list[Item]:
    """Take out models of ours that the site serves no more."""
    kept = {(model["name"], model["type"]) for model in wanted}
    results = []
    for model in console.ask("GET", f"{base}/models")["data"]:
        about = {"model": model["model"], "model_type": model["model_type"]}
        if (model["model"], model["model_type"]) in kept:
            continue
        found = console.ask("GET", f"{base}/models/credentials", **about, config_from="custom-model")
        if not (found.get("current_credential_name") or "").startswith(MARK):
            continue
        if not check:
            console.ask("DELETE", f"{base}/models", about)
        results.append(item("model", model["model"], "served no more"))
    return results


def defaults(console: Console, provider: str, models: list[Item], *, check: bool) -> list[Item]:
    """Make the first model of each type the default where nobody has chosen one."""
    first: dict[str, str] = {}
    for model in models:
        first.setdefault(model["type"], model["name"])
    path = "/workspaces/current/default-model"
    results = []
    for kind, name in first.items():
        if console.ask("GET", path, model_type=kind).get("data"):
            results.append(item("default", kind, ""))
            continue
        chosen = {"model_type": kind, "provider": provider, "model": name}
        if not check:
            console.ask("POST", path, {"model_settings": [chosen]})
        results.append(item("default", kind, f"{name} chosen"))
    return results


def ensure(params: dict[str, Any], *, check: bool) -> list[Item]:
    """See to all of it."""
    console = Console(params["url"], params["seconds"])
    results = [set_up(console, params, check=check)]
    if check and results[0]["changed"]:
        # Nothing can be asked before there is an account: all of it would come.
        return results
    try:
        console.log_in(params["email"], params["password"])
    except DifyError as error:
        raise DifyError(
            f"{params['email']} is not let in ({error}); the password is vault_dify_admin_password: write "
            "the account's own there, or reset it with `flask reset-password` in the container dify-api"
        ) from error
    there = console.ask("GET", "/workspaces/current/plugin/list", **PAGE)["plugins"]
    results += [install(console, path, there, params, check=check) for path in params["plugins"]]
    if check and any(result["changed"] for result in results):
        return results
    if params["models"]:
        base = f"/workspaces/current/model-providers/{params['provider']}"
        results += [register(console, base, model, check=check) for model in params["models"]]
        results += retire(console, base, params["models"], check=check)
        results += defaults(console, params["provider"], params["models"], check=check)
    return results


def main() -> None:
    """Run the module."""
    secret = {"type": "str", "required": True, "no_log": True}
    needed = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            **dict.fromkeys(("url", "email", "name", "provider"), needed),
            **dict.fromkeys(("init_password", "password"), secret),
            "language": {"type": "str", "default": "en-US"},
            "plugins": {"type": "list", "elements": "path", "default": []},
            "models": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": needed,
                    "type": needed | {"choices": ["llm", "text-embedding", "rerank"]},
                    "credentials": {"type": "dict", "required": True, "no_log": True},
                },
            },
            "seconds": {"type": "int", "default": 600},
        },
        supports_check_mode=True,
    )
    try:
        results = ensure(module.params, check=module.check_mode)
    except DifyError as error:
        if module.check_mode and error.status == 0:
            # The api would be started by the task before.
            module.exit_json(changed=True, items=[])
        module.fail_json(msg=f"dify_console: {error}")
    except (PackageError, KeyError, OSError) as error:
        module.fail_json(msg=f"dify_console: {error!r}")
    module.exit_json(changed=any(result["changed"] for result in results), items=results)


if __name__ == "__main__":
    main()
