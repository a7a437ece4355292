"""What a Modelfile says of a model, in the files that Ollama's registry keeps of it beside the weights.

Those files lie in a build's tree: `template`, `system`, `params.json`, `LICENSE`. Ollama is told what they
say when it makes the model; other engines read the template that is in the GGUF file itself.
"""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rackwright.models.store.files import StoreError

# Instruction of a Modelfile -> file of the tree; Ollama documentation, Modelfile reference.
_FILES = {"TEMPLATE": "template", "SYSTEM": "system", "LICENSE": "LICENSE"}
PARAMETERS = "params.json"
_BOOLEANS = {"true": True, "false": False}
# Those that may be given several times.
_LISTS = frozenset({"stop"})
# They change the model itself, or what it has seen before; a store of weights cannot hold that.
_FOREIGN = {"ADAPTER": "merge the adapter into the weights", "MESSAGE": "say it in SYSTEM"}
_TEXT = re.compile(r'"""(.*?)"""|"([^"\n]*)"|([^\n]*)', re.DOTALL)
_LINE = re.compile(r"[^\n]*")
_BEGIN = re.compile(r"[ \t]*(#[^\n]*)?\n|[ \t]*([A-Za-z]+)[ \t]+|[ \t]*(#[^\n]*)?\Z")
_SECONDS = 20


def files_of(text: str, where: str = "Modelfile") -> dict[str, bytes]:
    """Return the files that a Modelfile comes to: name in the tree -> content.

    Raises:
        StoreError: An instruction is not known, cannot be kept, or has no value; says which, and its line.
    """
    files: dict[str, bytes] = {}
    parameters: dict[str, Any] = {}
    for line, name, value in _instructions(text, where):
        if name in _FOREIGN:
            raise StoreError(f"{where}, line {line}: {name} cannot be kept", hint=_FOREIGN[name])
        if name == "PARAMETER":
            key, _, given = value.partition(" ")
            if not given.strip():
                raise StoreError(
                    f"{where}, line {line}: {value!r} has no value", hint="PARAMETER num_ctx 8192"
                )
            _set(parameters, key, _number(given.strip()))
        elif name in _FILES:
            files[_FILES[name]] = value.encode()
        elif name != "FROM":  # the file that is imported stands in the command
            known = ", ".join(("FROM", "PARAMETER", *_FILES))
            raise StoreError(f"{where}, line {line}: there is no {name}", hint=f"a Modelfile has {known}")
    if parameters:
        files[PARAMETERS] = json.dumps(parameters, indent=1, sort_keys=True).encode()
    return files


def said_of(files: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what a build's files say of the model, as an entry of `ollama_models` has it.

    Args:
        files: Those of the build's manifest, each with `path` and `source` (a path, or a URL of a mirror).

    Raises:
        StoreError: One cannot be read.
    """
    said: dict[str, Any] = {}
    for each in files:
        if each["path"] in {"template", "system"}:
            said[each["path"]] = _read(str(each["source"])).decode()
        elif each["path"] == PARAMETERS:
            said["parameters"] = json.loads(_read(str(each["source"])))
    return said


def _read(source: str) -> bytes:
    try:
        if "://" not in source:
            return Path(source).read_bytes()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(source, timeout=_SECONDS) as stream:
            return bytes(stream.read())
    except (OSError, ValueError) as error:
        raise StoreError(f"{source} cannot be read: {error}") from error


def _instructions(text: str, where: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, instruction in capitals, and value of each."""
    position = 0
    while position < len(text):
        found = _BEGIN.match(text, position)
        line = text.count("\n", 0, position) + 1
        if found is None:
            shown = text[position:].splitlines()[0]
            raise StoreError(f"{where}, line {line}: {shown!r} is no instruction", hint="INSTRUCTION value")
        position = found.end()
        if found[2] is None:
            continue
        name = found[2].upper()
        if text.startswith('"""', position) and '"""' not in text[position + 3 :]:
            raise StoreError(f"{where}, line {line}: {name} is never closed", hint='end it with """')
        # A parameter's value is quoted behind its name.
        value = (_LINE if name == "PARAMETER" else _TEXT).match(text, position)
        if value is None:
            break
        position = value.end()
        given = next((part for part in value.groups() if part is not None), value[0])
        yield line, name, given.strip() if name in {"FROM", "PARAMETER"} else given


def _number(text: str) -> object:
    plain = text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
    if plain != text:
        return plain
    if plain.lower() in _BOOLEANS:
        return _BOOLEANS[plain.lower()]
    for kind in (int, float):
        try:
            return kind(plain)
        except ValueError:
            continue
    return plain


def _set(parameters: dict[str, Any], key: str, value: object) -> None:
    if key in _LISTS:
        parameters.setdefault(key, []).append(str(value))
    else:
        parameters[key] = value
