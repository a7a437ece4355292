"""What a switch decides and writes by itself; molecule/inference and molecule/engines prove it on hosts."""

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import yaml

from rackwright.catalogue.inference import models_of as names_of
from rackwright.errors import RackwrightError
from rackwright.models.catalogue import project_models
from rackwright.models.store.files import StoreError
from rackwright.models.store.places import build_of, check_licence
from rackwright.models.switch.needs import Host, room_of
from rackwright.models.switch.room import Room, problem
from rackwright.models.switch.state import Previous, ServingFile
from rackwright.models.switch.target import Target, need_mb, target_of
from rackwright.models.switch.ways import WAYS, replaced, served, settled, where_of
from rackwright.site.inventory import load_inventory
from rackwright.site.paths import repository_root
from rackwright.site.plain import plain
from rackwright.site.yaml_files import read_yaml

CONTENT = b"GGUF and more"


def manifest(model: str = "small", quantisation: str = "q4_k_m", licence: str = "MIT") -> dict[str, object]:
    digest = sha256(CONTENT).hexdigest()
    return {
        "model": model,
        "quantisation": quantisation,
        "source": "folder",
        "name": model,
        "revision": "",
        "licence": licence,
        "licence_of_source": "",
        "files": [{"path": "model.gguf", "size": len(CONTENT), "sha256": digest}],
    }


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    root = tmp_path / "bundle"
    for quantisation in ("q4_k_m", "q8_0"):
        directory = root / "small" / quantisation
        directory.mkdir(parents=True)
        (directory / "model.gguf").write_bytes(CONTENT)
        (directory / "manifest.json").write_text(json.dumps(manifest(quantisation=quantisation)))
    return root


def test_a_bundle_is_a_place(bundle: Path) -> None:
    build = build_of("small", "q8_0", [str(bundle.parent / "nothing"), str(bundle)])
    assert build["files"][0]["source"] == str(bundle / "small/q8_0/model.gguf")


def test_a_store_is_a_place(tmp_path: Path) -> None:
    path = tmp_path / "store/models/small/q4_k_m.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(manifest()))
    build = build_of("small", None, [str(tmp_path / "store")])
    assert build["files"][0]["source"] == str(tmp_path / "store/blobs" / sha256(CONTENT).hexdigest())


def test_a_model_that_is_nowhere_says_where_it_was_looked_for(bundle: Path) -> None:
    with pytest.raises(StoreError, match="it has no large in q4_k_m"):
        build_of("large", "q4_k_m", [str(bundle)])
    with pytest.raises(StoreError, match="no place is known"):
        build_of("large", None, [])


def test_a_path_that_leads_out_is_refused(bundle: Path) -> None:
    path = bundle / "small/q8_0/manifest.json"
    path.write_text(path.read_text().replace("model.gguf", "../../../etc/passwd"))
    with pytest.raises(StoreError, match="is no manifest"):
        build_of("small", "q8_0", [str(bundle)])


def test_a_licence_that_asks_something_is_accepted_by_name_only() -> None:
    check_licence(manifest(licence="Apache-2.0"), [])
    check_licence(manifest(licence="Llama 3.1"), ["Llama 3.1"])
    with pytest.raises(StoreError, match="has not accepted") as caught:
        check_licence(manifest(licence="Llama 3.1"), ["Llama 3.3"])
    assert 'models_accept_licences: ["Llama 3.1"]' in str(caught.value.hint)


def test_a_target_is_a_file_on_the_host(bundle: Path) -> None:
    variables = {"model_sources": [{"kind": "folder", "path": str(bundle)}], "models_directory": "/srv/m"}
    target = target_of(WAYS["llama_cpp"], "small", None, variables)
    assert target.entry["path"] == "/srv/m/trees/small/q4_k_m/model.gguf"
    assert target.build == {"model": "small", "quantisation": "q4_k_m"}
    digest = sha256(CONTENT).hexdigest()
    assert target_of(WAYS["ollama"], "small", None, variables).entry["sha256"] == digest


@pytest.mark.parametrize("engine", ["llama_cpp", "ollama", "localai", "vllm", "fastchat"])
def test_what_an_engine_cannot_read_is_refused(bundle: Path, engine: str) -> None:
    path = bundle / "small/q8_0/manifest.json"
    path.write_text(path.read_text().replace("model.gguf", "model.pickle"))
    variables = {"model_sources": [{"kind": "folder", "path": str(bundle)}]}
    with pytest.raises(StoreError, match=r"no GGUF file|no config\.json") as caught:
        target_of(WAYS[engine], "small", "q8_0", variables)
    assert "--quantisation" in str(caught.value.hint)


@pytest.mark.parametrize("engine", ["vllm", "fastchat"])
def test_a_target_is_a_directory_of_the_host(bundle: Path, engine: str) -> None:
    path = bundle / "small/q8_0/manifest.json"
    path.write_text(path.read_text().replace("model.gguf", "config.json"))
    variables = {"model_sources": [{"kind": "folder", "path": str(bundle)}], "models_directory": "/srv/m"}
    entry = target_of(WAYS[engine], "small", "q8_0", variables).entry
    assert where_of(entry) == "/srv/m/trees/small/q8_0"


def test_the_planner_counts_what_it_knows() -> None:
    models = project_models()
    known = Target({"name": "x"}, {"model": "qwen3-8b", "quantisation": "q4_k_m"}, 1)
    little, much = (need_mb(known, models, "llama_cpp", *shape) or 0 for shape in ((4096, 2), (8192, 4)))
    assert 5000 < little < much
    on_gpus = Target({"name": "x"}, {"model": "qwen3-8b", "quantisation": "bf16"})
    assert (need_mb(on_gpus, models, "fastchat", 4096, 1) or 0) > 15000
    unknown = Target({"name": "x"}, None, 100 * 2**20 + 1)
    assert need_mb(unknown, models, "ollama", 4096, 2) == 101 + 64
    assert need_mb(Target({"name": "x"}, None), models, "ollama", 4096, 2) is None


def room(there: int, old: int, new: int, *, twice: bool = True) -> Room:
    return Room("a", "memory", there, old=old, second=new, after=new, twice=twice)


def test_room() -> None:
    assert problem({"a": room(1000, 400, 500)}, stop_first=False) is None
    # The new one is there twice for a moment, unless the server itself holds both.
    crowded = {"a": room(1000, 400, 600)}
    refused = problem(crowded, stop_first=False)
    assert refused is not None
    assert "both models do not fit at once" in refused[0]
    assert "--stop-first" in refused[1]
    assert problem({"a": room(1000, 400, 600, twice=False)}, stop_first=False) is None
    assert problem(crowded, stop_first=True) is None
    assert problem({"a": room(500, 400, 600)}, stop_first=True) is not None
    assert room(1000, 400, 500).second_mb == 500


def gpus(*vram_mb: int) -> dict[str, object]:
    return {"hardware": {"gpus": [{"vram_mb": vram} for vram in vram_mb]}}


@pytest.mark.parametrize(
    ("instances", "beside"),
    [
        ([{"name": "one", "gpu_memory_utilization": 0.45}], True),
        ([{"name": "one"}], False),
        # Each on a GPU of its own, which it takes nearly whole.
        ([{"name": "one", "gpus": [0]}, {"name": "one", "gpus": [1]}], False),
        # A neighbour on the same GPU leaves too little; the same neighbour elsewhere does not.
        (
            [
                {"name": "one", "gpus": [0], "gpu_memory_utilization": 0.45},
                {"name": "embed", "embedding": True, "gpus": [0], "gpu_memory_utilization": 0.3},
            ],
            False,
        ),
        (
            [
                {"name": "one", "gpus": [0], "gpu_memory_utilization": 0.45},
                {"name": "embed", "embedding": True, "gpus": [1], "gpu_memory_utilization": 0.3},
            ],
            True,
        ),
    ],
)
def test_vllm_takes_its_share_of_a_gpu_whole(instances: list[dict[str, object]], beside: bool) -> None:
    value = [{**entry, "path": "/m"} for entry in instances]
    host = Host("gpu1", gpus(81920, 81920), {"gpu_memory_utilization": 0.9, "memory_mb": 65536})
    found = room_of(WAYS["vllm"], host, value, Target({"name": "two", "path": "/n"}, None, 1))
    assert (found.beside, found.what) == (beside, "GPU memory")
    assert (problem({"gpu1": found}, stop_first=False) is None) == beside


def test_other_models_of_a_server_need_their_room(tmp_path: Path) -> None:
    for name in ("one", "embed"):
        (tmp_path / name).write_bytes(bytes(200 * 2**20 if name == "one" else 100 * 2**20))
    value = [
        {"name": "one", "source": str(tmp_path / "one"), "sha256": ""},
        {"name": "embed", "source": str(tmp_path / "embed"), "sha256": "", "embedding": True},
    ]
    variables = read_yaml(repository_root() / "group_vars/all/models.yml")
    host = Host("a", variables, {"num_parallel": 1, "context_length": 1024, "memory_mb": 1000})
    new = Target({"name": "two", "path": "/n", "sha256": ""}, None, 300 * 2**20)
    inside = room_of(WAYS["ollama"], host, value, new)
    # 64 MB for each beside its file.
    assert (inside.old, inside.second, inside.after) == (264 + 164, 364, 364 + 164)
    second = room_of(WAYS["localai"], replace(host, settings={**host.settings, "parallel": 1}), value, new)
    assert second.second == second.after == inside.after
    assert (inside.beside, second.beside) == (True, False)


ENTRY = {"name": "new", "path": "/new"}
OLD = {"name": "old", "path": "/old"}
EMBED = {"name": "embed", "path": "/embed", "embedding": True}


@pytest.mark.parametrize(
    ("engine", "value", "after"),
    [
        ("llama_cpp", {**OLD, "size": 1, "also": ["older"]}, {**ENTRY, "also": ["old"]}),
        ("ollama", [EMBED, OLD], [ENTRY, EMBED, OLD]),
        (
            "vllm",
            [{**OLD, "gpus": [0], "quantization": "awq"}, EMBED, {**OLD, "gpus": [1]}],
            [{**ENTRY, "gpus": [0], "also": ["old"]}, EMBED, {**ENTRY, "gpus": [1], "also": ["old"]}],
        ),
        (
            "localai",
            [{**OLD, "context": 512, "extra": {"template": {}}}, EMBED],
            [{**ENTRY, "context": 512, "also": ["old"]}, EMBED],
        ),
        (
            "fastchat",
            [{**OLD, "gpus": ["0"], "conv_template": "x"}, EMBED, {"name": "older", "leaving": True}],
            [{**ENTRY, "gpus": ["0"]}, EMBED, {**OLD, "gpus": ["0"], "conv_template": "x", "leaving": True}],
        ),
    ],
)
def test_another_model_in_the_place_of_the_old(engine: str, value: object, after: object) -> None:
    way = WAYS[engine]
    found = replaced(way, value, ENTRY)
    assert found == after
    assert served(way, found)["name"] == "new"
    # Callers that have not been told yet are answered.
    names = {name for group in names_of(engine, {way.variable: found}) for name in group}
    assert {"new", "old"} <= names
    # There and back again is where it began, but for what only the switch needs.
    back = replaced(way, settled(way, found), OLD)
    assert served(way, back)["name"] == "old"
    assert "older" not in str(back)


def test_another_build_of_the_same_model_has_no_second_name() -> None:
    found = replaced(WAYS["llama_cpp"], OLD, {"name": "old", "path": "/finer"})
    assert found == {"name": "old", "path": "/finer"}
    (instance,) = replaced(WAYS["vllm"], [OLD], {"name": "old", "path": "/finer"})
    assert instance == {"name": "old", "path": "/finer"}


def test_a_fastchat_worker_that_leaves_goes_when_callers_are_told() -> None:
    way = WAYS["fastchat"]
    after = replaced(way, [{"name": "old", "directory": "/old"}], {"name": "new", "directory": "/new"})
    assert settled(way, after) == [{"name": "new", "directory": "/new"}]


def test_a_site_without_a_model_that_answers_is_refused() -> None:
    with pytest.raises(RackwrightError, match="no model that answers questions"):
        served(WAYS["ollama"], [EMBED])


def test_what_stands_outside_our_part_stays(tmp_path: Path) -> None:
    file = ServingFile(tmp_path)
    assert file.read() == {}
    assert file.previous("llama_cpp") is None
    file.write({"llama_cpp_model": {"name": "one"}})
    text = file.path.read_text()
    file.path.write_text(f"{text}# mine\nmodels_prune: true\n".replace("---\n", "---\n# why we do this\n"))
    values = file.with_previous(Previous("llama_cpp", {"name": "one"}, None, "2026-01-01T00:00:00+00:00"))
    file.write({**values, "llama_cpp_model": {"name": "two"}})
    text = file.path.read_text()
    assert "# why we do this" in text
    assert "# mine" in text
    assert yaml.safe_load(text) == {
        "llama_cpp_model": {"name": "two"},
        "serving_previous": {
            "llama_cpp": {"model": {"name": "one"}, "build": None, "switched": "2026-01-01T00:00:00+00:00"}
        },
        "models_prune": True,
    }
    # Each engine has a way back of its own.
    file.write(file.with_previous(Previous("vllm", {"name": "three"}, None, "2026-01-02T00:00:00+00:00")))
    for engine, name in (("llama_cpp", "one"), ("vllm", "three")):
        found = file.previous(engine)
        assert found is not None
        assert found.model["name"] == name
    assert file.previous("ollama") is None


def test_a_models_template_is_none_of_ansibles(tmp_path: Path) -> None:
    file = ServingFile(tmp_path)
    model = {"name": "one", "template": "{{ .Prompt }}"}
    file.write({"ollama_models": [model]})
    assert "!unsafe" in file.path.read_text()
    assert file.read()["ollama_models"] == [model]
    (tmp_path / "hosts.yml").write_text("all: {hosts: {a: {}}}\n")
    variables = load_inventory([tmp_path]).hosts["a"].variables
    assert plain(variables["ollama_models"]) == [model]


def test_a_trial_leaves_no_trace(tmp_path: Path) -> None:
    file = ServingFile(tmp_path)
    before = file.content()
    file.write({"a": 1})
    file.restore(before)
    assert not file.path.exists()


def test_a_part_that_was_cut_is_refused(tmp_path: Path) -> None:
    file = ServingFile(tmp_path)
    file.write({"a": 1})
    file.path.write_text("".join(file.path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(StoreError, match="is missing"):
        file.read()


def test_callers_may_use_the_name_from_before() -> None:
    variables = {"llama_cpp_model": {"name": "two", "also": ["one"]}}
    assert names_of("llama_cpp", variables) == (("two", "one"),)
