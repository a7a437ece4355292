"""A Modelfile in the form in which Ollama's registry keeps what it says."""

import json
from pathlib import Path

import pytest

from rackwright.models.store.files import StoreError
from rackwright.models.store.modelfile import files_of, said_of

TEXT = '''# what we serve
FROM ./qwen3-8b-q4_k_m.gguf

template """{{ if .System }}<|im_start|>system
{{ .System }}<|im_end|>{{ end }}
{{ .Prompt }}"""
SYSTEM "You answer in short."
PARAMETER stop "<|im_end|>"
PARAMETER stop <|im_start|>
PARAMETER temperature 0.7
PARAMETER num_ctx 8192
PARAMETER use_mmap true
LICENSE """Apache-2.0"""
'''


def test_what_it_says_is_kept() -> None:
    files = files_of(TEXT)
    assert set(files) == {"template", "system", "params.json", "LICENSE"}
    assert files["template"].decode().startswith("{{ if .System }}<|im_start|>system\n")
    assert files["template"].decode().endswith("{{ .Prompt }}")
    assert files["system"] == b"You answer in short."
    assert json.loads(files["params.json"]) == {
        "stop": ["<|im_end|>", "<|im_start|>"], "temperature": 0.7, "num_ctx": 8192, "use_mmap": True
    }  # fmt: skip


def test_and_is_told_to_ollama(tmp_path: Path) -> None:
    listed = []
    for name, content in files_of(TEXT).items():
        (tmp_path / name).write_bytes(content)
        listed.append({"path": name, "source": str(tmp_path / name)})
    said = said_of([*listed, {"path": "model.gguf", "source": "/nowhere"}])
    assert set(said) == {"template", "system", "parameters"}
    assert said["parameters"]["num_ctx"] == 8192


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("FROM x\nADAPTER ./lora.gguf\n", "line 2: ADAPTER cannot be kept"),
        ("FROM x\nPARAMETER num_ctx\n", "line 2: 'num_ctx' has no value"),
        ("FROM x\nTEMPLAT x\n", "line 2: there is no TEMPLAT"),
        ("FROM x\n{{ .Prompt }}\n", "line 2: '{{ .Prompt }}' is no instruction"),
        ('FROM x\nSYSTEM """never\n', "line 2: SYSTEM is never closed"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_its_line(text: str, told: str) -> None:
    with pytest.raises(StoreError, match="Modelfile") as caught:
        files_of(text)
    assert told in caught.value.message
