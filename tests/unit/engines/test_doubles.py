"""The doubles of the engines are as strict as the engines: what is not documented ends them."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from rackwright.engines.vllm import Host, instances_of
from rackwright.site.paths import repository_root

ROOT = repository_root()
DOUBLES = ROOT / "tests/doubles/engines"
GGUF = b"GGUF" + b"\0" * 60
KEY = "k" * 20


def documented(engine: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DOUBLES / f"{engine}.documented.yml").read_text(encoding="utf-8"))
    return found


class Engine:
    """A double that runs, and its API."""

    def __init__(self, process: subprocess.Popen[str], port: int, key: str = "") -> None:
        self.process, self.port, self.key = process, port, key

    def ask(
        self, path: str, body: object = None, *, method: str = "", data: bytes | None = None
    ) -> tuple[int, bytes]:
        """Return status and body."""
        content = json.dumps(body).encode() if body is not None else data
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=content,
            method=method or ("POST" if content is not None else "GET"),
            headers={"Authorization": f"Bearer {self.key}"} if self.key else {},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def json(self, path: str, body: object = None) -> dict[str, Any]:
        status, content = self.ask(path, body)
        assert status == 200, content
        found: dict[str, Any] = json.loads(content)
        return found


def start(
    engine: str, work: Path, arguments: list[str], environment: Mapping[str, str]
) -> subprocess.Popen[str]:
    listed = work / f"{engine}.json"
    listed.write_text(json.dumps(documented(engine)))
    return subprocess.Popen(
        [sys.executable, str(DOUBLES / f"{engine}.py"), *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(work), "DOUBLE_DOCUMENTED": str(listed), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def refusal(engine: str, work: Path, arguments: list[str], environment: Mapping[str, str]) -> str:
    process = start(engine, work, arguments, environment)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 2, output
    return output


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(engine: Engine) -> Engine:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert engine.process.poll() is None, engine.process.communicate()[0]
        try:
            socket.create_connection(("127.0.0.1", engine.port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return engine
    raise AssertionError("the double does not listen")


def stopped(engine: Engine) -> None:
    engine.process.terminate()
    engine.process.communicate(timeout=20)
    assert engine.process.returncode == 0, "it ends in good order when it is asked to"


@pytest.fixture
def ollama(tmp_path: Path) -> Iterator[Engine]:
    port = free_port()
    environment = {"OLLAMA_HOST": f"127.0.0.1:{port}", "OLLAMA_MODELS": str(tmp_path / "models")}
    engine = wait_for(Engine(start("ollama", tmp_path, ["serve"], environment), port))
    yield engine
    stopped(engine)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    directory = tmp_path / "model"
    directory.mkdir()
    (directory / "config.json").write_text(
        json.dumps({"max_position_embeddings": 2048, "num_attention_heads": 8})
    )
    (directory / "model.safetensors").write_bytes(b"x")
    return directory


@pytest.fixture
def vllm(tmp_path: Path, model: Path) -> Iterator[Engine]:
    port = free_port()
    arguments = [
        "--model",
        str(model),
        "--served-model-name",
        "m",
        "--port",
        str(port),
        "--max-model-len",
        "1024",
    ]
    engine = Engine(start("vllm", tmp_path, arguments, {"VLLM_API_KEY": KEY}), port, KEY)
    yield wait_for(engine)
    stopped(engine)


def test_ollama_ends_at_a_variable_that_it_does_not_document(tmp_path: Path) -> None:
    assert "OLLAMA_PARALLEL" in refusal("ollama", tmp_path, ["serve"], {"OLLAMA_PARALLEL": "4"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OLLAMA_NUM_PARALLEL", "many"),
        ("OLLAMA_KV_CACHE_TYPE", "q2_0"),
        ("OLLAMA_KEEP_ALIVE", "a day"),
        ("OLLAMA_NOPRUNE", "perhaps"),
    ],
)
def test_ollama_ends_at_a_value_of_another_kind(tmp_path: Path, name: str, value: str) -> None:
    assert name in refusal("ollama", tmp_path, ["serve"], {name: value})


def test_what_the_role_tells_ollama_is_documented() -> None:
    variables = yaml.safe_load((ROOT / "roles/ollama/vars/main.yml").read_text(encoding="utf-8"))
    told = set(variables["__ollama_environment"]) - {"HOME"}
    assert {"OLLAMA_KEEP_ALIVE", "OLLAMA_NUM_PARALLEL", "OLLAMA_MAX_LOADED_MODELS"} <= told
    assert told - set(documented("ollama")["environment"]) == set()


def test_ollama_makes_a_model_of_a_file_and_answers(ollama: Engine) -> None:
    digest = f"sha256:{hashlib.sha256(GGUF).hexdigest()}"
    assert ollama.ask(f"/api/blobs/{digest}", method="HEAD")[0] == 404
    assert ollama.ask(f"/api/blobs/{digest}", data=GGUF[:-1])[0] == 400
    assert ollama.ask(f"/api/blobs/{digest}", data=GGUF)[0] == 201
    body = {
        "model": "m",
        "files": {"m.gguf": digest},
        "parameters": {"stop": ["<end>"]},
        "template": "{{ .Prompt }}",
    }
    assert ollama.json("/api/create", {**body, "stream": False}) == {"status": "success"}
    assert [model["name"] for model in ollama.json("/api/tags")["models"]] == ["m:latest"]
    shown = ollama.json("/api/show", {"model": "m"})
    assert 'stop "<end>"' in shown["parameters"]
    assert shown["template"] == "{{ .Prompt }}"
    answer = ollama.json(
        "/api/generate", {"model": "m", "prompt": "hi", "stream": False, "options": {"num_predict": 1}}
    )
    assert (answer["done"], answer["eval_count"]) == (True, 1)
    status, content = ollama.ask("/api/chat", {"model": "m", "messages": [{"role": "user", "content": "hi"}]})
    parts = [json.loads(line) for line in content.splitlines()]
    assert status == 200
    assert [part["done"] for part in parts[-2:]] == [False, True]
    assert len(ollama.json("/api/embed", {"model": "m", "input": ["a", "b"]})["embeddings"]) == 2
    assert ollama.json("/v1/chat/completions", {"model": "m", "messages": [{"content": "x"}]})["usage"]
    assert [model["name"] for model in ollama.json("/api/ps")["models"]] == ["m:latest"]


def test_ollama_refuses_what_is_not_there(ollama: Engine) -> None:
    for path in ("/api/show", "/api/generate", "/api/chat", "/v1/chat/completions"):
        status, content = ollama.ask(path, {"model": "absent", "messages": [{"content": "x"}]})
        assert status == 404
        assert b"'absent' not found" in content
    assert ollama.ask("/api/create", {"model": "m", "files": {"f": "sha256:00"}})[0] == 400
    assert ollama.ask("/api/create", {"model": "m", "modelfile": "FROM x"})[0] == 400
    status, content = ollama.ask("/api/pull", {"model": "qwen3:8b"})
    assert b"no such host" in content


def test_vllm_ends_at_an_argument_that_it_does_not_document(tmp_path: Path, model: Path) -> None:
    told = refusal("vllm", tmp_path, ["--model", str(model), "--tensor-parallelism", "2"], {})
    assert "unrecognized arguments: --tensor-parallelism" in told


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--max-model-len", "long"], "invalid int value"),
        (["--kv-cache-dtype", "int3"], "invalid choice"),
        (["--max-model-len", "4096"], "greater than the derived"),
        (["--tensor-parallel-size", "3"], "divisible by tensor parallel size"),
        (["--gpu-memory-utilization", "1.5"], "must be less than 1.0"),
    ],
)
def test_vllm_ends_at_what_it_cannot_do(
    tmp_path: Path, model: Path, arguments: list[str], expected: str
) -> None:
    assert expected in refusal("vllm", tmp_path, ["--model", str(model), *arguments], {})


def test_vllm_ends_without_its_model_or_with_a_strange_variable(tmp_path: Path, model: Path) -> None:
    assert "is not a local folder" in refusal("vllm", tmp_path, ["--model", "/nowhere"], {})
    (model / "model.safetensors").unlink()
    assert "weights" in refusal("vllm", tmp_path, ["--model", str(model)], {})
    assert "VLLM_KEY" in refusal("vllm", tmp_path, ["--model", str(model)], {"VLLM_KEY": "x"})


def test_vllm_answers_with_its_key_alone(vllm: Engine) -> None:
    question = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 2}
    assert vllm.json("/v1/chat/completions", question)["usage"]["completion_tokens"] == 2
    status, content = vllm.ask("/v1/chat/completions", {**question, "stream": True})
    assert status == 200
    assert content.endswith(b"data: [DONE]\n\n")
    assert vllm.ask("/v1/chat/completions", {**question, "model": "absent"})[0] == 404
    assert vllm.ask("/v1/chat/completions", {**question, "max_tokens": 9999})[0] == 400
    assert vllm.json("/v1/embeddings", {"model": "m", "input": "a"})["data"][0]["embedding"]
    assert vllm.json("/v1/models")["data"][0]["max_model_len"] == 1024
    assert vllm.ask("/health")[0] == 200
    assert b"vllm:request_success_total" in vllm.ask("/metrics")[1]
    vllm.key = ""
    assert vllm.ask("/v1/models")[0] == 401
    assert vllm.ask("/health")[0] == 200


def test_what_the_role_tells_vllm_is_documented() -> None:
    known = documented("vllm")
    variables = yaml.safe_load((ROOT / "roles/vllm/vars/main.yml").read_text(encoding="utf-8"))
    ours = {
        name for name in variables["__vllm_environment"] if name.startswith(("VLLM_", "HF_", "TRANSFORMERS_"))
    }
    assert ours - set(known["environment"]) == set()
    everything = {
        "tensor_parallel_size": 1, "pipeline_parallel_size": 1, "max_model_len": 4096, "max_num_seqs": 8,
        "gpu_memory_utilization": 0.9, "kv_cache_dtype": "fp8", "dtype": "half", "quantization": "awq",
    }  # fmt: skip
    host = Host([8000], 4096, 2.0, 1024, "", everything)
    words = instances_of([{"name": "m", "path": "/m"}], host)[0]["arguments"]
    assert {word for word in words if word.startswith("--")} - set(known["arguments"]) == set()
