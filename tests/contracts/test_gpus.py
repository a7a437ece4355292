"""The table of GPU models is one: for Ansible's variables, for the tools, for the docs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import get_args

import yaml

from rackwright.hardware.gpus import known_gpus, load_gpus
from rackwright.hardware.model import Architecture, Hardware
from rackwright.site.inventory import load_inventory
from rackwright.site.paths import repository_root

ROOT = repository_root()


def test_ids_are_unique_and_architectures_known() -> None:
    listed = yaml.safe_load((ROOT / "group_vars/all/gpus.yml").read_text(encoding="utf-8"))["gpu_models"]
    assert set(listed) <= {*get_args(Architecture)} - {"unknown"}
    models = [model for entries in listed.values() for model in entries]
    keys = [
        (pci_id, card)
        for model in models
        for pci_id in model["ids"]
        for card in model.get("subsystems", [""])
    ]
    assert [key for key, count in Counter(keys).items() if count > 1] == []


def test_a_play_sees_the_same_models(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("platform: {hosts: {one: {}}}\n")
    variables = load_inventory([tmp_path]).site_variables()
    assert load_gpus(variables["gpu_models"]).all == known_gpus().all


def test_gpus_of_the_kept_files_are_of_the_table() -> None:
    known = known_gpus()
    for path in sorted((ROOT / "inventories").rglob("*.yml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8")) if "vault" not in path.name else None
        if not isinstance(content, dict) or not isinstance(content.get("hardware"), dict):
            continue
        for gpu in Hardware.model_validate(content["hardware"]).gpus:
            model = known.of(gpu)
            assert model is not None, f"{path}: {gpu.model}"
            assert (model.model, model.architecture) == (gpu.model, gpu.architecture), path
