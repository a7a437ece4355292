"""Ask a model questions whose answers are known, and judge what comes."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
---
module: golden_prompts
short_description: Ask a model questions whose answers are known
description:
  - Asks a server of the OpenAI API one question after another, at temperature 0, on the host where it runs,
    and says of each what came and whether that is what it should be.
  - Changes nothing, and does not fail on a wrong answer.
options:
  base_url: {description: "The API, as V(http://10.0.0.5:18080/v1).", type: str, required: true}
  api_key: {description: Key that the server asks for., type: str, default: ""}
  model: {description: Name that the model is asked for by., type: str, required: true}
  prompts:
    description: The questions.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {description: What reports call it., type: str, required: true}
      prompt: {description: The question., type: str, required: true}
      system: {description: What the model is told before it., type: str}
      contains:
        description: Texts that the answer must contain; capitals do not matter.
        type: list
        elements: str
        default: []
      pattern: {description: Regular expression that must be found in the answer., type: str}
      same: {description: Ask it twice; both answers must be equal., type: bool, default: false}
      max_tokens: {description: Length of the answer at most., type: int, default: 256}
      minimum_tokens: {description: Tokens that must come at least., type: int, default: 1}
      maximum_seconds: {description: How long the answer may take., type: float, default: 60}
      minimum_tokens_per_second: {description: Tokens a second at least; 0 for any., type: float, default: 0}
author: Rackwright
"""

EXAMPLES = r"""
- name: Ask the new model
  golden_prompts:
    base_url: http://10.77.20.11:18080/v1
    api_key: "{{ key }}"
    model: qwen3-8b
    prompts: [{name: arithmetic, prompt: "What is 17 + 25?", contains: ["42"]}]
"""

RETURN = r"""
ok: {description: Whether every answer is what it should be., returned: always, type: bool}
answers:
  description: Of each question name, prompt, ok, why, answer, seconds, tokens, tokens_per_second.
  returned: always
  type: list
  elements: dict
"""

# Of an answer, what reports show.
SHOWN = 200


def ask(params: dict[str, Any], prompt: dict[str, Any]) -> dict[str, Any]:
    """Ask one question; return text, tokens, seconds, and what went wrong, if anything did."""
    messages = [{"role": "system", "content": prompt["system"]}] if prompt["system"] else []
    body = {
        "model": params["model"],
        "messages": [*messages, {"role": "user", "content": prompt["prompt"]}],
        "max_tokens": prompt["max_tokens"],
        "temperature": 0,
        "seed": 0,
    }
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.addheaders = [("Content-Type", "application/json")]
    if params["api_key"]:
        opener.addheaders.append(("Authorization", f"Bearer {params['api_key']}"))
    began = time.monotonic()
    try:
        with opener.open(
            f"{params['base_url'].rstrip('/')}/chat/completions",
            data=json.dumps(body).encode(),
            # A model that is too slow is told apart from one that never answers.
            timeout=2 * prompt["maximum_seconds"] + 5,
        ) as stream:
            said = json.load(stream)
        message = said["choices"][0]["message"]
        text = f"{message.get('reasoning_content') or ''}{message.get('content') or ''}"
        tokens = int(said["usage"]["completion_tokens"])
    except urllib.error.HTTPError as error:
        detail = error.read(SHOWN).decode(errors="replace").strip()
        phrase = HTTPStatus(error.code).phrase if error.code in set(HTTPStatus) else ""
        return {"text": "", "tokens": 0, "problem": f"status {error.code} {phrase}: {detail}", "seconds": 0.0}
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        seconds = time.monotonic() - began
        problem = f"no answer after {seconds:.1f} s: {error or type(error).__name__}"
        return {"text": "", "tokens": 0, "problem": problem, "seconds": seconds}
    return {"text": text, "tokens": tokens, "problem": "", "seconds": time.monotonic() - began}


def judge(prompt: dict[str, Any], came: dict[str, Any], again: dict[str, Any] | None) -> list[str]:
    """Return what is wrong with an answer, in words with what came and what was expected."""
    if came["problem"]:
        return [came["problem"]]
    text, speed = str(came["text"]), came["tokens"] / max(came["seconds"], 1e-6)
    shown = json.dumps(text[:SHOWN], ensure_ascii=False)
    wrong = []
    if came["tokens"] < prompt["minimum_tokens"] or not text.strip():
        wrong.append(
            f"{came['tokens']} tokens came, {shown};"
            f" at least {prompt['minimum_tokens']} with text were expected"
        )
    wrong += [
        f"{shown} came; it was expected to contain {json.dumps(part, ensure_ascii=False)}"
        for part in prompt["contains"]
        if part.casefold() not in text.casefold()
    ]
    if prompt["pattern"] and not re.search(prompt["pattern"], text):
        wrong.append(f"{shown} came; it was expected to match {prompt['pattern']}")
    if again is not None and (again["problem"] or again["text"] != text):
        second = again["problem"] or json.dumps(str(again["text"])[:SHOWN], ensure_ascii=False)
        wrong.append(f"{shown} came, and {second} the second time; the same was expected")
    if came["seconds"] > prompt["maximum_seconds"]:
        wrong.append(
            f"it took {came['seconds']:.1f} s; at most {prompt['maximum_seconds']:.1f} s were expected"
        )
    if speed < prompt["minimum_tokens_per_second"]:
        wrong.append(
            f"{speed:.1f} tokens/s came; at least {prompt['minimum_tokens_per_second']:.1f} were expected"
        )
    return wrong


def examined(params: dict[str, Any], prompt: dict[str, Any]) -> dict[str, Any]:
    """Ask a question, twice where that is wanted, and judge it."""
    came = ask(params, prompt)
    again = ask(params, prompt) if prompt["same"] and not came["problem"] else None
    wrong = judge(prompt, came, again)
    return {
        "name": prompt["name"],
        "prompt": prompt["prompt"],
        "ok": not wrong,
        "why": "; ".join(wrong),
        "answer": str(came["text"])[:SHOWN],
        "tokens": came["tokens"],
        "seconds": round(came["seconds"], 3),
        "tokens_per_second": round(came["tokens"] / max(came["seconds"], 1e-6), 1),
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "base_url": {"type": "str", "required": True},
            "api_key": {"type": "str", "default": "", "no_log": True},
            "model": {"type": "str", "required": True},
            "prompts": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "prompt": {"type": "str", "required": True},
                    "system": {"type": "str"},
                    "contains": {"type": "list", "elements": "str", "default": []},
                    "pattern": {"type": "str"},
                    "same": {"type": "bool", "default": False},
                    "max_tokens": {"type": "int", "default": 256, "no_log": False},
                    "minimum_tokens": {"type": "int", "default": 1, "no_log": False},
                    "maximum_seconds": {"type": "float", "default": 60.0},
                    "minimum_tokens_per_second": {"type": "float", "default": 0.0, "no_log": False},
                },
            },
        },
        supports_check_mode=True,
    )
    if not module.params["base_url"].startswith(("http://", "https://")):
        module.fail_json(msg=f"golden_prompts: base_url: {module.params['base_url']!r} is no http(s) URL")
    answers = [examined(module.params, prompt) for prompt in module.params["prompts"]]
    module.exit_json(changed=False, ok=all(each["ok"] for each in answers), answers=answers)


if __name__ == "__main__":
    main()
