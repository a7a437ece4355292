"""The route as its callers meet it."""

import json
import time
from collections.abc import Callable
from typing import Any

from conftest import PORT, Ask
from machines import Machines

from rackwright.catalogue.probes import probe_matrix
from rackwright.site.inventory import Inventory

Chat = Callable[..., dict[str, Any]]
LOG = "/var/log/rackwright-model-route/access.log"


def log(machines: Machines) -> list[dict[str, Any]]:
    """What the route wrote of its requests."""
    return [json.loads(line) for line in machines.inside("app1", f"cat {LOG}").splitlines()]


def test_chat_and_embeddings_come_from_one_model(ask: Ask, chat: Chat, key: str, model: str) -> None:
    said, numbers = ask(
        "app1",
        chat(),
        {"path": "/v1/embeddings", "key": key, "body": {"model": model, "input": ["a rack", "a server"]}},
    )
    assert said["status"] == 200
    assert json.loads(said["body"])["usage"]["completion_tokens"] >= 1
    vectors = [entry["embedding"] for entry in json.loads(numbers["body"])["data"]]
    assert (numbers["status"], len(vectors)) == (200, 2)
    assert len(vectors[0]) == len(vectors[1]) > 8
    assert vectors[0] != vectors[1]


def test_both_engines_get_requests(ask: Ask, chat: Chat, machines: Machines) -> None:
    before = len(log(machines))
    assert {answer["status"] for answer in ask("app1", *[chat(max_tokens=1)] * 6)} == {200}
    asked = {entry["upstream"] for entry in log(machines)[before:] if entry["path"] == "/v1/chat/completions"}
    assert asked == {f"{machines.addresses[host]}:8080" for host in ("app1", "app2")}


def test_a_stream_is_not_held_back(ask: Ask, chat: Chat) -> None:
    (answer,) = ask("app1", chat(stream=True, max_tokens=200, ignore_eos=True))
    events = [line for line in answer["body"].splitlines() if line.startswith("data:")]
    assert events[-1] == "data: [DONE]"
    # A proxy that buffers hands all over at the end, in a part or two.
    assert len(answer["arrivals"]) > 10
    assert answer["arrivals"][-1] - answer["arrivals"][0] > 0.02


def test_models_are_listed(ask: Ask, key: str, model: str) -> None:
    (answer,) = ask("app1", {"method": "GET", "path": "/v1/models", "key": key})
    assert answer["status"] == 200
    (entry,) = json.loads(answer["body"])["data"]
    assert (entry["id"], entry["owned_by"]) == (model, "llama_cpp")


def test_a_wrong_key_is_refused(ask: Ask, chat: Chat, key: str, inventory: Inventory) -> None:
    engine = str(inventory.hosts["app1"].variables["vault_llama_cpp_api_key"])
    wrong = ["", key[:-1], key + "x", key.swapcase(), engine]
    answers = ask("app1", *[chat() | {"key": entry} for entry in wrong])
    answers += ask("app1", {"method": "GET", "path": "/v1/models"})
    assert [answer["status"] for answer in answers] == [401] * 6
    assert json.loads(answers[0]["body"])["error"]["type"] == "authentication_error"


def test_an_unknown_model_is_refused_with_the_known_ones(ask: Ask, chat: Chat, model: str) -> None:
    (answer,) = ask("app1", chat(model='gpt-5"x'))
    error = json.loads(answer["body"])["error"]
    assert (answer["status"], error["code"]) == (404, "model_not_found")
    assert 'gpt-5"x' in error["message"]
    assert model in error["message"]
    # Names that every object of JavaScript has are no models.
    assert ask("app1", chat(model="constructor"))[0]["status"] == 404


def test_what_is_no_question_is_refused(ask: Ask, chat: Chat, key: str, model: str) -> None:
    path = "/v1/chat/completions"
    cases = [
        ({"path": path, "key": key, "body": "no json"}, 400),
        ({"path": path, "key": key, "body": "null"}, 400),
        ({"path": path, "key": key, "body": {"messages": []}}, 400),
        ({"method": "GET", "path": path, "key": key}, 405),
        ({"method": "GET", "path": "/v1/files", "key": key}, 404),
        ({"method": "GET", "path": "/metrics", "key": key}, 404),
        (chat(messages=[{"role": "user", "content": "x" * 9_000_000}]), 413),
    ]
    answers = ask("app1", *[request for request, _ in cases])
    assert [answer["status"] for answer in answers] == [status for _, status in cases]
    assert all(json.loads(answer["body"])["error"]["message"] for answer in answers)
    missing = json.loads(answers[2]["body"])["error"]["message"]
    assert model in missing


def test_a_large_question_is_read_whole(ask: Ask, chat: Chat) -> None:
    """More text than a usual buffer holds; it is the engine that says that it is too long."""
    (answer,) = ask("app1", chat(messages=[{"role": "user", "content": "rack " * 200_000}]))
    assert answer["status"] == 400
    assert "context" in answer["body"]


def test_the_limit_is_for_all_but_the_app(ask: Ask, key: str) -> None:
    many = [{"method": "GET", "path": "/v1/models", "key": key}] * 60
    allowed = ask("app1", *many)
    assert {answer["status"] for answer in allowed} == {200}
    began = time.monotonic()
    answers = ask("ops1", *many)
    took = time.monotonic() - began
    passed = sum(answer["status"] == 200 for answer in answers)
    limited = [answer for answer in answers if answer["status"] == 429]
    assert passed + len(limited) == len(many)
    # 20 at once, and 10 more each second.
    assert 20 <= passed <= 21 + 10 * (took + 1)
    assert limited
    assert limited[0]["headers"]["Retry-After"] == "1"
    assert json.loads(limited[0]["body"])["error"]["type"] == "rate_limit_error"


def test_only_the_catalogues_callers_reach_it(machines: Machines) -> None:
    running = [host.name for host in machines.lab.hosts if host.name in {"app1", "app2", "data1", "ops1"}]
    expected = probe_matrix(machines.site, ())
    target = (machines.addresses["app1"], PORT)
    seen = machines.probe(running, [target])
    for host in running:
        wanted = host == "app1" or expected.get((host, "app1", PORT), False)
        assert (seen[host][target] == "open") == wanted, (host, seen[host][target])
    assert not expected["data1", "app1", PORT]
    assert not expected["app2", "app1", PORT]


def test_neither_key_nor_question_is_in_a_log_or_a_process_list(
    ask: Ask, chat: Chat, key: str, machines: Machines
) -> None:
    marker = "a-question-that-nobody-else-asks"
    ask("app1", chat(messages=[{"role": "user", "content": marker}]))
    seen = machines.inside(
        "app1",
        "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n';"
        " journalctl --no-pager -q;"
        f" cat {LOG}; docker logs llama_cpp 2>&1",
    )
    assert key not in seen
    assert marker not in seen


def test_the_unit_has_no_rights(machines: Machines) -> None:
    pid = machines.inside("app1", "systemctl show -P MainPID rackwright-model-route.service")
    status = machines.inside("app1", f"cat /proc/{pid}/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert int(fields["Uid"].split()[0]) > 0
    assert int(fields["CapEff"], 16) == 0
    assert fields["NoNewPrivs"] == "1"
    # Debian's own web server stays off.
    assert machines.inside("app1", "systemctl is-active nginx.service", check=False) == "inactive"
    assert machines.inside("app1", "systemctl is-enabled nginx.service", check=False) == "disabled"


def test_logs_are_rotated(machines: Machines) -> None:
    machines.inside("app1", "logrotate --force /etc/logrotate.d/rackwright-model-route")
    machines.inside("app1", "sleep 1; touch /run/now")
    entries = machines.inside("app1", "ls /var/log/rackwright-model-route").split()
    assert len(entries) == 2
    owner = machines.inside("app1", f"stat -c '%U %a' {LOG}")
    assert owner == "rackwright-model-route 640"


def test_the_app_speaks_to_the_route(machines: Machines) -> None:
    written = machines.inside("app1", "cat /etc/rackwright/app/engine.toml")
    assert f'urls = ["https://{machines.addresses["app1"]}:{PORT}/v1"]' in written
    health = (
        "import json, ssl, urllib.request as r;"
        " c = ssl.create_default_context(cafile='/etc/rackwright/tls/ca.pem');"
        f" print(r.urlopen('https://{machines.addresses['app1']}:3001/health', context=c).read().decode())"
    )
    assert '"engine":"ok"' in machines.inside("app1", f'python3 -c "{health}"')
