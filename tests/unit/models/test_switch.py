"""What a switch decides and writes by itself; molecule/models proves it on a host."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
import yaml

from rackwright.catalogue.inference import models_of as names_of
from rackwright.models.catalogue import project_models
from rackwright.models.store.files import StoreError
from rackwright.models.store.places import build_of, check_licence
from rackwright.models.switch.room import Room, problem
from rackwright.models.switch.state import ServingFile
from rackwright.models.switch.target import Target, need_mb, target_of

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
    target = target_of("small", None, variables)
    assert target.model["path"] == "/srv/m/trees/small/q4_k_m/model.gguf"
    assert target.build == {"model": "small", "quantisation": "q4_k_m"}


def test_what_llama_cpp_cannot_read_is_refused(bundle: Path) -> None:
    path = bundle / "small/q8_0/manifest.json"
    path.write_text(path.read_text().replace("model.gguf", "model.safetensors"))
    variables = {"model_sources": [{"kind": "folder", "path": str(bundle)}]}
    with pytest.raises(StoreError, match="no GGUF file"):
        target_of("small", "q8_0", variables)


def test_the_planner_counts_what_it_knows() -> None:
    models = project_models()
    known = Target({"name": "x", "size": 1}, {"model": "qwen3-8b", "quantisation": "q4_k_m"})
    assert 5000 < need_mb(known, models, 4096, 2, 0) < need_mb(known, models, 8192, 4, 0)
    unknown = Target({"name": "x", "size": 100 * 2**20 + 1}, None)
    assert need_mb(unknown, models, 4096, 2, 32) == 101 + 32 + 64


def test_room() -> None:
    assert problem({"a": Room("a", there=1000, old=400, new=500)}, stop_first=False) is None
    # The new one is there twice for a moment.
    crowded = {"a": Room("a", there=1000, old=400, new=600)}
    refused = problem(crowded, stop_first=False)
    assert refused is not None
    assert "both models do not fit at once" in refused[0]
    assert "--stop-first" in refused[1]
    assert problem(crowded, stop_first=True) is None
    assert problem({"a": Room("a", there=500, old=400, new=600)}, stop_first=True) is not None
    assert Room("a", there=1000, old=400, new=500).second_mb == 500


def test_what_stands_outside_our_part_stays(tmp_path: Path) -> None:
    file = ServingFile(tmp_path)
    assert file.read() == {}
    assert file.previous() is None
    file.write({"llama_cpp_model": {"name": "one"}})
    text = file.path.read_text()
    file.path.write_text(f"{text}# mine\nmodels_prune: true\n".replace("---\n", "---\n# why we do this\n"))
    previous = {"model": {"name": "one"}, "build": None, "own": True, "switched": "2026-01-01T00:00:00+00:00"}
    file.write({"llama_cpp_model": {"name": "two"}, "serving_previous": previous})
    text = file.path.read_text()
    assert "# why we do this" in text
    assert "# mine" in text
    assert yaml.safe_load(text) == {
        "llama_cpp_model": {"name": "two"},
        "serving_previous": previous,
        "models_prune": True,
    }
    found = file.previous()
    assert found is not None
    assert (found.model["name"], found.own) == ("one", True)


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
