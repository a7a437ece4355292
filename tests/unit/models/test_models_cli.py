"""`rackwright models` as an operator sees it."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from registry_double import Registry, serve

from rackwright.catalogue.findings import FindingsError
from rackwright.cli.main import main
from rackwright.models.store.asked import sources_of
from rackwright.site.paths import repository_root


def run(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["models", *arguments])
    captured = capsys.readouterr()
    assert caught.value.code == status, captured.err
    return captured.out if status == 0 else captured.err


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys, "list", "--purpose", "embedding")
    assert "bge-m3" in text
    assert "qwen3-8b" not in text
    assert "qwen3-8b" in json.loads(run(capsys, "list", "--json"))


def test_fit_of_a_named_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys, "fit", "--gpu", "rtx-3090", "qwen3-8b", "qwen3-32b")
    assert "1 x GeForce RTX 3090, 24576 MiB" in text
    assert "Do not fit" in text
    assert "answer 1 at a time" in text


def test_fit_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(
        run(capsys, "fit", "--vram-gb", "24", "--gpus", "2", "--json", "qwen3-32b", "qwen3-235b-a22b")
    )
    fits, misfit = rows
    assert (fits["fits"], fits["gpus"], misfit["fits"]) == (True, 2, False)
    assert (
        fits["memory_mib"] == sum(part["value"] for part in fits["parts"].values()) <= fits["available_mib"]
    )
    assert fits["longest_context"] >= 8192
    assert misfit["changes"][0]["text"]


def test_every_number_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys, "fit", "--ram-gb", "32", "qwen3-8b", "--explain")
    for part in ("weights", "cache", "compute", "overhead", "of 32768 MiB"):
        assert part in text


def site_with(directory: Path, hardware: str | None) -> str:
    """Make the lab's inventory, with the scan of the inference host; None for a host that was not scanned."""
    site, lab = directory / "site", repository_root() / "inventories" / "lab"
    (site / "host_vars" / "app1").mkdir(parents=True)
    (site / "hosts.yml").write_text((lab / "hosts.yml").read_text(encoding="utf-8"), encoding="utf-8")
    (site / "group_vars" / "all").mkdir(parents=True)
    for name in ("site.yml", "lab.yml"):
        (site / "group_vars" / "all" / name).symlink_to(lab / "group_vars" / "all" / name)
    if hardware is not None:
        (site / "host_vars" / "app1" / "hardware.yml").write_text(hardware, encoding="utf-8")
    return str(site)


def test_fit_of_a_host_that_was_not_scanned(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = run(capsys, "fit", "-i", site_with(tmp_path, None), status=1)
    assert "the hardware of app1 is not known" in text
    assert "rackwright scan" in text


def test_fit_of_a_scan_that_cannot_be_read(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = run(capsys, "fit", "-i", site_with(tmp_path, "hardware: {cpu: 7}\n"), status=1)
    assert "the hardware of app1 cannot be read" in text


def test_fit_of_a_site(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    hardware = {
        "system": {
            "distribution": "Debian",
            "version": "13",
            "codename": "trixie",
            "kernel": "6.12",
            "architecture": "x86_64",
            "virtualization": "none",
            "secure_boot": None,
            "python": "3.13",
        },
        "cpu": {"model": "test", "sockets": 1, "cores": 8, "threads": 16},
        "memory_mb": 64000,
        "numa": [],
        "disks": [],
        "filesystems": [],
        "network": [],
        "nvswitch": False,
        "gpus": [
            {
                "pci_address": "0000:01:00.0",
                "pci_id": "10de:2204",
                "model": "GeForce RTX 3090",
                "architecture": "ampere",
                "compute_capability": "8.6",
                "vram_mb": 24576,
                "driver": None,
                "mig": None,
                "nvlink_peers": [],
            }
        ],
    }
    text = run(capsys, "fit", "-i", site_with(tmp_path, yaml.safe_dump({"hardware": hardware})), "qwen3-8b")
    assert "app1: 1 x GeForce RTX 3090" in text
    assert "tier: the tier asks for qwen3-0.6b" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gpu", "voodoo"], "no GPU of the data is called 'voodoo'"),
        (["--gpu", "t4", "--vram-gb", "8"], "both say"),
        (["--ram-gb", "8", "qwen9"], "there is no model 'qwen9'"),
        (["--ram-gb", "8", "--engine", "torch"], "there is no engine 'torch'"),
        (["--ram-gb", "8", "--quantisation", "q1"], "there is no quantisation 'q1'"),
        (["--ram-gb", "8", "--cache", "f8"], "there is no cache 'f8'"),
    ],
)
def test_what_is_refused(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    text = run(capsys, "fit", *arguments, status=1)
    assert message in text
    assert "hint:" in text


def test_help_is_quick() -> None:
    started = time.monotonic()
    subprocess.run(
        [sys.executable, "-c", "from rackwright.cli.main import main; main(['models', '--help'])"],
        check=True,
        capture_output=True,
    )
    # 0.3 s on a machine that does nothing else.
    assert time.monotonic() - started < 3


@pytest.fixture
def registry() -> Iterator[Registry]:
    double = Registry()
    server = serve(double)
    yield double
    server.shutdown()
    server.server_close()


def test_a_models_life_in_the_store(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, registry: Registry
) -> None:
    store = ("--store", str(tmp_path / "store"))
    origin = ("--from", f"ollama={registry.url}")
    registry.ollama("qwen3", "8b-q4_K_M", {"model": b"GGUF" + bytes(5000), "license": b"Apache"})
    text = run(capsys, "pull", "qwen3-8b", *store, *origin)
    assert "licence: Apache-2.0" in text
    assert "3 files" in text
    assert "qwen3:8b-q4_K_M" in run(capsys, "stored", *store)
    assert json.loads(run(capsys, "stored", *store, "--json"))[0]["licence"] == "Apache-2.0"
    assert "3 files are whole" in run(capsys, "verify", *store)

    blob = max((tmp_path / "store" / "blobs").iterdir(), key=lambda path: path.stat().st_size)
    blob.chmod(0o644)
    blob.write_bytes(b"GGUF" + bytes(4999) + b"x")
    assert "1 damaged" in run(capsys, "verify", *store, "--check", status=1)
    assert "fetched again: model.gguf" in run(capsys, "verify", *store, *origin)

    bundle = tmp_path / "bundle"
    assert str(bundle) in run(capsys, "export", "qwen3-8b", str(bundle), *store)
    assert "GiB freed" in run(capsys, "remove", "qwen3-8b", *store)
    assert "is not in" in run(capsys, "remove", "qwen3-8b", *store, status=1)
    run(capsys, "pull", "qwen3-8b", *store, "--from", f"folder={bundle}")
    assert "folder" in run(capsys, "stored", *store)
    assert "0.0 GiB freed" in run(capsys, "clean", *store)


def test_a_sites_sources_are_asked(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, registry: Registry
) -> None:
    registry.modelscope("Qwen/Qwen3-8B-GGUF", {"Qwen3-8B-Q4_K_M.gguf": b"GGUF"})
    site = Path(site_with(tmp_path, None))
    sources = [{"kind": "folder", "path": "/nowhere"}, {"kind": "modelscope", "url": registry.url}]
    path = site / "group_vars" / "all" / "models.yml"
    path.write_text(yaml.safe_dump({"model_sources": sources}), encoding="utf-8")
    text = run(capsys, "pull", "qwen3-8b", "--store", str(tmp_path / "store"), "-i", str(site))
    assert "from modelscope" in text
    assert "Apache License 2.0" in text


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ([{"kind": "torrent", "url": "http://a"}], "model_sources.0"),
        ([{"kind": "mirror", "url": "ftp://a"}], "model_sources.0.url"),
        ([{"kind": "folder", "path": "relative"}], "model_sources.0.path"),
        ([{"kind": "ollama", "url": "http://a", "tokn": "x"}], "model_sources.0.tokn"),
    ],
)
def test_sources_that_are_none(sources: object, message: str) -> None:
    with pytest.raises(FindingsError) as caught:
        sources_of(sources)
    assert message in str(caught.value)


def test_no_source(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    store = ("--store", str(tmp_path / "store"))
    assert "no model source is set" in run(capsys, "pull", "qwen3-8b", *store, status=1)
    assert "is no source" in run(capsys, "pull", "qwen3-8b", *store, "--from", "disk=/a", status=1)
    assert "has no build q1" in run(
        capsys, "pull", "qwen3-8b", *store, "--from", "folder=/a", "--quantisation", "q1", status=1
    )
