"""Ask a model questions whose answers are known, and judge what comes."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
---
module: golden_prompts
short_description: Ask a model questions whose answers are known
description:
  - Asks a server of the OpenAI API one question after another, at temperature 0, on the host where it runs,
    and says of each what came, how fast, and whether that is what it should be.
  - Changes nothing, and does not fail on a wrong answer.
options:
  base_url: {description: "The API, as V(http://10.0.0.5:18080/v1).", type: str, required: true}
  api_key: {description: Key that the server asks for., type: str, default: ""}
  model: {description: Name that the model is asked for by., type: str, required: true}
  promise:
    description: >-
      What people are promised of every answer; a question may say otherwise. Asked alone, a model must keep
      it with ease. Answers of less than 8 tokens tell nothing of its speed.
    type: dict
    default: {}
    suboptions:
      first_token_seconds: {description: The first token comes within., type: float}
      tokens_per_second: {description: Tokens a second from the first one on., type: float}
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
      maximum_first_token_seconds: {description: How long its first token may take., type: float}
      minimum_tokens_per_second: {description: Tokens a second at least; 0 for any., type: float}
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
  description: >-
    Of each question name, prompt, ok, why, answer, first_token_seconds, seconds, tokens, tokens_per_second.
  returned: always
  type: list
  elements: dict
"""

# Of an answer, what reports show.
SHOWN = 200
# Tokens from which on an answer's speed means something.
TELLING = 8


def ask(params: dict[str, Any], prompt: dict[str, Any]) -> dict[str, Any]:
    """Ask one question; return text, tokens, first_token, seconds, and what went wrong, if anything did."""
    messages = [{"role": "system", "content": prompt["system"]}] if prompt["system"] else []
    body = {
        "model": params["model"],
        "messages": [*messages, {"role": "user", "content": prompt["prompt"]}],
        "max_tokens": prompt["max_tokens"],
        "temperature": 0,
        "seed": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.addheaders = [("Content-Type", "application/json")]
    if params["api_key"]:
        opener.addheaders.append(("Authorization", f"Bearer {params['api_key']}"))
    came: dict[str, Any] = {"text": "", "tokens": 0, "problem": "", "first_token": 0.0, "seconds": 0.0}
    began = time.monotonic()
    try:
        with opener.open(
            f"{params['base_url'].rstrip('/')}/chat/completions",
            data=json.dumps(body).encode(),
            # A model that is too slow is told apart from one that never answers.
            timeout=2 * prompt["maximum_seconds"] + 5,
        ) as stream:
            came |= hear(stream, began, 2 * prompt["maximum_seconds"] + 5)
    except urllib.error.HTTPError as error:
        detail = error.read(SHOWN).decode(errors="replace").strip()
        phrase = HTTPStatus(error.code).phrase if error.code in set(HTTPStatus) else ""
        return {**came, "problem": f"status {error.code} {phrase}: {detail}"}
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        seconds = time.monotonic() - began
        problem = f"no answer after {seconds:.1f} s: {error or type(error).__name__}"
        return {**came, "problem": problem, "seconds": seconds}
    return {**came, "seconds": time.monotonic() - began}


def hear(lines: Iterable[bytes], began: float, longest: float) -> dict[str, Any]:
    """Listen to a streamed answer; return text, tokens, first_token.

    Raises:
        ValueError: It ends before it should, takes too long, or is an error.
    """
    text, pieces, tokens, first, ended = "", 0, None, 0.0, False
    for line in lines:
        if time.monotonic() - began > longest:
            raise ValueError("it never ends")
        if not line.startswith(b"data:"):
            continue
        data = line.removeprefix(b"data:").strip()
        if data == b"[DONE]":
            ended = True
            break
        part = json.loads(data)
        if part.get("error"):
            raise ValueError(str(part["error"])[:SHOWN])
        for choice in part.get("choices") or ():
            delta = choice.get("delta") or {}
            said = f"{delta.get('reasoning_content') or ''}{delta.get('content') or ''}"
            if said:
                first = first or time.monotonic() - began
                text, pieces = text + said, pieces + 1
            ended = ended or bool(choice.get("finish_reason"))
        if part.get("usage"):
            tokens = int(part["usage"]["completion_tokens"])
    if not ended:
        raise ValueError("the answer broke off")
    # An engine that does not count sends a token in each part.
    return {"text": text, "tokens": pieces if tokens is None else tokens, "first_token": first}


def speed_of(came: dict[str, Any]) -> float:
    """Return the tokens a second from the first one on."""
    following = max(0, came["tokens"] - 1)
    return float(following / max(came["seconds"] - came["first_token"], 1e-6))


def judge(
    prompt: dict[str, Any], came: dict[str, Any], again: dict[str, Any] | None, promise: dict[str, Any]
) -> list[str]:
    """Return what is wrong with an answer, in words with what came and what was expected."""
    if came["problem"]:
        return [came["problem"]]
    text, speed = str(came["text"]), speed_of(came)
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
    return [*wrong, *too_slow(prompt, came, speed, promise)]


def too_slow(
    prompt: dict[str, Any], came: dict[str, Any], speed: float, promise: dict[str, Any]
) -> Iterator[str]:
    """Yield what is slower than the question says, or than what people are promised."""
    patience = prompt["maximum_first_token_seconds"]
    patience = promise.get("first_token_seconds") if patience is None else patience
    if patience is not None and came["first_token"] > patience:
        took = f"{came['first_token']:.1f} s"
        yield f"the first token came after {took}; at most {patience:.1f} s were expected"
    least, own = prompt["minimum_tokens_per_second"], True
    if least is None:
        least, own = promise.get("tokens_per_second") or 0.0, False
    if speed < least and (own or came["tokens"] >= TELLING):
        yield f"{speed:.1f} tokens/s came; at least {least:.1f} were expected"


def examined(params: dict[str, Any], prompt: dict[str, Any]) -> dict[str, Any]:
    """Ask a question, twice where that is wanted, and judge it."""
    came = ask(params, prompt)
    again = ask(params, prompt) if prompt["same"] and not came["problem"] else None
    wrong = judge(prompt, came, again, params["promise"] or {})
    return {
        "name": prompt["name"],
        "prompt": prompt["prompt"],
        "ok": not wrong,
        "why": "; ".join(wrong),
        "answer": str(came["text"])[:SHOWN],
        "tokens": came["tokens"],
        "first_token_seconds": round(came["first_token"], 3),
        "seconds": round(came["seconds"], 3),
        "tokens_per_second": round(speed_of(came), 1),
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "base_url": {"type": "str", "required": True},
            "api_key": {"type": "str", "default": "", "no_log": True},
            "model": {"type": "str", "required": True},
            "promise": {
                "type": "dict",
                "default": {},
                "options": {
                    "first_token_seconds": {"type": "float", "no_log": False},
                    "tokens_per_second": {"type": "float", "no_log": False},
                },
            },
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
                    "maximum_first_token_seconds": {"type": "float", "no_log": False},
                    "minimum_tokens_per_second": {"type": "float", "no_log": False},
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
