"""The doubles of FastChat and LocalAI, and the entry of FastChat's containers, together as in their roles."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from rackwright.fastchat.workers import workers_of
from rackwright.localai.configuration import configuration
from rackwright.site.paths import repository_root

ROOT = repository_root()
DOUBLES = ROOT / "tests/doubles/engines"
ENTRY = ROOT / "roles/fastchat/files/entry.py"
KEY = "k" * 20
QUESTION = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 3}
Start = Callable[..., subprocess.Popen[str]]


def environment(work: Path, engine: str) -> dict[str, str]:
    listed = work / f"{engine}.json"
    listed.write_text(json.dumps(yaml.safe_load((DOUBLES / f"{engine}.documented.yml").read_text())))
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(work),
        "PYTHONPATH": str(DOUBLES),
        "DOUBLE_DOCUMENTED": str(listed),
    }


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[subprocess.Popen[str]] = []

    def started(engine: str, *words: str, **extra: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *words],
            env=environment(tmp_path, engine) | extra,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running.append(process)
        return process

    yield started
    for process in running:
        process.kill()
        process.communicate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(url: str, body: object = None, key: str = "") -> tuple[int, str]:
    content = json.dumps(body).encode() if body is not None else None
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    request = urllib.request.Request(url, content, headers)  # noqa: S310 - doubles of this test
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def wait_for(true: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if true():
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError("it did not become true in time")


def model(path: Path, **wanted: Any) -> str:  # noqa: ANN401 - whatever config.json holds
    path.mkdir()
    (path / "config.json").write_text(json.dumps({"double": wanted}))
    return str(path)


class FastChat:
    """Controller, workers and API on this computer."""

    def __init__(self, start: Start) -> None:
        self.start, port = start, free_port()
        self.controller = f"http://127.0.0.1:{port}"
        listen = ("--host", "127.0.0.1", "--port", str(port))
        start("fastchat", "-m", "fastchat.serve.controller", *listen)
        wait_for(lambda: ask(f"{self.controller}/test_connection")[0] == 200)

    def worker(self, directory: str, name: str = "m") -> tuple[subprocess.Popen[str], str]:
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        process = self.start(
            "fastchat",
            *("-m", "fastchat.serve.model_worker", "--host", "127.0.0.1", "--port", str(port)),
            *("--controller-address", self.controller, "--worker-address", address),
            *("--model-path", directory, "--model-names", name, "--device", "cpu", "--num-gpus", "1"),
            *("--limit-worker-concurrency", "2"),
            FASTCHAT_WORKER_HEART_BEAT_INTERVAL="1",
            LOGDIR="",
            HF_HUB_OFFLINE="1",
        )
        return process, address

    def api(self, work: Path) -> str:
        """Starts the API by the role's entry, with the key of a file."""
        port = free_port()
        key, entry = work / "api_key", work / "entry.py"
        key.write_text(f"{KEY}\n")
        entry.write_text(ENTRY.read_text().replace("/run/secrets/api_key", str(key)))
        listen = ("--host", "127.0.0.1", "--port", str(port), "--allowed-origins", "[]")
        self.process = self.start(
            "fastchat", str(entry), "api", *listen, "--controller-address", self.controller
        )
        wait_for(lambda: ask(f"http://127.0.0.1:{port}/v1/models")[0] == 401)
        return f"http://127.0.0.1:{port}"

    def address(self, name: str = "m") -> str:
        return str(json.loads(ask(f"{self.controller}/get_worker_address", {"model": name})[1])["address"])


def entry(work: Path, *words: str) -> subprocess.CompletedProcess[str]:
    script = work / "health.py"
    script.write_text(ENTRY.read_text().replace("/tmp/proved", str(work / "proved")))  # noqa: S108
    command = [sys.executable, str(script), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=40)


def test_fastchat_answers_by_its_workers(start: Start, tmp_path: Path) -> None:
    chat = FastChat(start)
    chat.worker(model(tmp_path / "a", says="alpha"))
    wait_for(lambda: chat.address() != "")
    api = chat.api(tmp_path)
    status, text = ask(f"{api}/v1/chat/completions", {"model": "m", **QUESTION}, KEY)
    assert status == 200
    assert json.loads(text)["choices"][0]["message"]["content"].split()[0] == "alpha"
    assert json.loads(text)["usage"]["completion_tokens"] == 3
    status, text = ask(f"{api}/v1/chat/completions", {"model": "m", "stream": True, **QUESTION}, KEY)
    assert status == 200
    assert '"content": "alpha"' in text
    assert text.endswith("data: [DONE]\n\n")
    status, text = ask(f"{api}/v1/embeddings", {"model": "m", "input": ["a", "b"]}, KEY)
    assert (status, len(json.loads(text)["data"])) == (200, 2)
    status, text = ask(f"{api}/v1/chat/completions", {"model": "absent", **QUESTION}, KEY)
    assert status == 400
    assert "Only m allowed now" in text
    assert [one["id"] for one in json.loads(ask(f"{api}/v1/models", key=KEY)[1])["data"]] == ["m"]
    assert ask(f"{api}/v1/chat/completions", {"model": "m", **QUESTION})[0] == 401


def test_the_key_is_in_no_argument_and_in_no_log(start: Start, tmp_path: Path) -> None:
    chat = FastChat(start)
    chat.api(tmp_path)
    assert KEY not in Path(f"/proc/{chat.process.pid}/cmdline").read_text()
    assert KEY not in Path(f"/proc/{chat.process.pid}/environ").read_text()
    chat.process.terminate()
    assert KEY not in chat.process.communicate(timeout=20)[0]


def test_a_worker_is_well_once_it_made_a_token_and_is_known(start: Start, tmp_path: Path) -> None:
    chat = FastChat(start)
    _, address = chat.worker(model(tmp_path / "a"))
    words = ("worker-health", address, address, chat.controller, "m", "chat")
    nobody = "http://127.0.0.1:1"
    assert entry(tmp_path, "worker-health", nobody, nobody, chat.controller, "m", "chat").returncode != 0
    assert not (tmp_path / "proved").exists()
    wait_for(lambda: entry(tmp_path, *words).returncode == 0)
    assert (tmp_path / "proved").exists()
    assert entry(tmp_path, "controller-health", chat.controller).returncode == 0


def test_a_worker_whose_controller_forgot_it_is_registered_again(start: Start, tmp_path: Path) -> None:
    chat, other = FastChat(start), FastChat(start)
    _, address = chat.worker(model(tmp_path / "a"))
    wait_for(lambda: chat.address() == address)
    done = entry(tmp_path, "worker-health", address, address, other.controller, "m", "embeddings")
    assert done.returncode == 0, done.stderr
    assert other.address() == address


def test_a_drained_worker_gets_no_more_requests_and_finishes_what_it_has(
    start: Start, tmp_path: Path
) -> None:
    chat = FastChat(start)
    old, address = chat.worker(model(tmp_path / "a", says="old", token_seconds=1))
    wait_for(lambda: chat.address() == address)
    api = chat.api(tmp_path)
    request = json.dumps({"model": "m", **QUESTION}).encode()
    script = (
        "import sys, urllib.request as u\n"
        f"r = u.Request({api + '/v1/chat/completions'!r}, {request!r}, {{'Authorization': 'Bearer {KEY}'}})\n"
        "sys.stdout.write(u.urlopen(r, timeout=30).read().decode())\n"
    )
    asked = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    wait_for(lambda: json.loads(ask(f"{address}/worker_get_status", {})[1])["queue_length"] == 1)
    _, new = chat.worker(model(tmp_path / "b", says="new"))
    wait_for(lambda: new in {chat.address() for _ in range(4)})
    assert entry(tmp_path, "drain", chat.controller, address).returncode == 0
    # Its own beats do not bring it back.
    time.sleep(1.5)
    assert {chat.address() for _ in range(6)} == {new}
    old.terminate()
    assert json.loads(asked.communicate(timeout=30)[0])["choices"][0]["message"]["content"].startswith("old")
    old.wait(timeout=20)
    assert entry(tmp_path, "refresh", chat.controller).returncode == 0
    assert {chat.address() for _ in range(3)} == {new}


@pytest.mark.parametrize(
    ("words", "extra", "said"),
    [
        (("--surprise", "1"), {}, "--surprise"),
        (("--limit-worker-concurrency", "many"), {}, "invalid int"),
        (("--device", "tpu"), {}, "invalid choice"),
        ((), {"FASTCHAT_SURPRISE": "1"}, "FASTCHAT_SURPRISE"),
        ((), {"OTHER": "1"}, "OTHER"),
        (("--model-path", "/absent"), {}, "/absent is no local folder"),
        (("--model-path", "FAILS"), {}, "CUDA out of memory"),
    ],
)
def test_fastchats_double_is_strict(
    start: Start, tmp_path: Path, words: tuple[str, ...], extra: Mapping[str, str], said: str
) -> None:
    fails = model(tmp_path / "f", fails="CUDA out of memory")
    given = ["--model-path", model(tmp_path / "a"), "--device", "cpu", *words]
    given = [fails if word == "FAILS" else word for word in given]
    process = start("fastchat", "-m", "fastchat.serve.model_worker", *given, **extra)
    output, _ = process.communicate(timeout=20)
    assert process.returncode
    assert said in output


def test_fastchats_role_gives_what_is_documented() -> None:
    known = yaml.safe_load((DOUBLES / "fastchat.documented.yml").read_text())
    settings = {
        "image": "sha256:" + "a" * 64, "python": "python3", "user": "1:1", "entry": "", "memory_mb": 4096,
        "cpus": 2.0, "concurrency": 4, "max_gpu_memory_mb": 1, "heartbeat_seconds": 15, "ready_seconds": 60,
        "stop_seconds": 60,
    }  # fmt: skip
    given = {
        "name": "m", "directory": "/m", "gpus": ["0,1"], "conv_template": "x", "dtype": "float16",
    }  # fmt: skip
    one = {"name": "n", "directory": "/m", "gpus": ["0"], "load_8bit": True}
    for worker in workers_of([given, one], settings):
        words = worker["definition"]["command"]
        assert {word for word in words if word.startswith("--")} <= set(known["model_worker"])
        assert set(worker["definition"]["environment"]) <= {*known["environment"], "HOME"}


def localai(work: Path, **changes: str) -> tuple[list[str], dict[str, str], int]:
    port = free_port()
    (work / "models").mkdir(exist_ok=True)
    (work / "m.gguf").write_bytes(b"GGUF" + b"\0" * 60)
    made = configuration(
        [{"name": "m", "path": str(work / "m.gguf")}, {"name": "e", "path": "/e", "embedding": True}],
        context=512, parallel=2, gpu=False, directory=str(work),
    )  # fmt: skip
    for volume in made["volumes"]:
        (work / volume["target"].lstrip("/")).write_bytes((work / "m.gguf").read_bytes())
    (work / "models.yaml").write_text(made["text"])
    (work / "api_keys.json").write_text(json.dumps([KEY]))
    given = {
        "LOCALAI_ADDRESS": f":{port}", "LOCALAI_MODELS_PATH": str(work / "models"),
        "LOCALAI_MODELS_CONFIG_FILE": str(work / "models.yaml"), "LOCALAI_CONFIG_DIR": str(work),
        "LOCALAI_GALLERIES": "[]", "LOCALAI_BACKEND_GALLERIES": "[]", "LOCALAI_LOAD_TO_MEMORY": "m,e",
    }  # fmt: skip
    return [str(DOUBLES / "localai.py"), "run"], given | changes, port


def test_localai_answers_with_the_key_of_its_file(start: Start, tmp_path: Path) -> None:
    words, given, port = localai(tmp_path)
    start("localai", *words, **given)
    url = f"http://127.0.0.1:{port}"
    wait_for(lambda: ask(f"{url}/readyz")[0] == 200)
    status, text = ask(f"{url}/v1/chat/completions", {"model": "m", **QUESTION}, KEY)
    assert (status, json.loads(text)["usage"]["completion_tokens"]) == (200, 3)
    status, text = ask(f"{url}/v1/chat/completions", {"model": "m", "stream": True, **QUESTION}, KEY)
    assert text.endswith("data: [DONE]\n\n")
    assert ask(f"{url}/v1/embeddings", {"model": "e", "input": "a"}, KEY)[0] == 200
    assert ask(f"{url}/v1/embeddings", {"model": "m", "input": "a"}, KEY)[0] == 500
    assert ask(f"{url}/v1/chat/completions", {"model": "absent", **QUESTION}, KEY)[0] == 404
    assert ask(f"{url}/v1/models")[0] == ask(f"{url}/metrics")[0] == 401
    assert "api_call" in ask(f"{url}/metrics", key=KEY)[1]


@pytest.mark.parametrize(
    ("words", "changes", "said"),
    [
        (("--surprise",), {}, "--surprise"),
        ((), {"LOCALAI_SURPRISE": "1"}, "LOCALAI_SURPRISE"),
        ((), {"OTHER": "1"}, "OTHER"),
        ((), {"LOCALAI_GALLERIES": '[{"url": "x"}]'}, "no such host"),
        ((), {"LOCALAI_LOAD_TO_MEMORY": "absent"}, "model absent not found"),
        ((), {"LOCALAI_MODELS_PATH": "/absent"}, "could not load model"),
    ],
)
def test_localais_double_is_strict(
    start: Start, tmp_path: Path, words: tuple[str, ...], changes: dict[str, str], said: str
) -> None:
    command, given, _ = localai(tmp_path, **changes)
    process = start("localai", *command, *words, **given)
    output, _ = process.communicate(timeout=20)
    assert process.returncode
    assert said in output


@pytest.mark.parametrize(
    ("field", "said"),
    [({"surprise": 1}, "surprise"), ({"options": ["odd:1"]}, "odd"), ({"backend": "other"}, "other")],
)
def test_localais_double_knows_the_fields_of_a_model(
    start: Start, tmp_path: Path, field: dict[str, Any], said: str
) -> None:
    command, given, _ = localai(tmp_path)
    listed = tmp_path / "models.yaml"
    listed.write_text(json.dumps([entry | field for entry in json.loads(listed.read_text())]))
    output, _ = start("localai", *command, **given).communicate(timeout=20)
    assert said in output
