"""The store, against a contract double of registries: cuts, damage, full disks, two writers, no internet."""

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from registry_double import Registry, serve

from rackwright.models.model import Models
from rackwright.models.store.bring_in import export, import_files
from rackwright.models.store.download import Downloader
from rackwright.models.store.files import Manifest, StoreError, sha256_of
from rackwright.models.store.lock import one_writer
from rackwright.models.store.pull import Wanted, mend, new_client, pull, wanted
from rackwright.models.store.settings import (
    FolderSource,
    HubSource,
    MirrorSource,
    RegistrySource,
    SourceSettings,
)
from rackwright.models.store.store import Store
from rackwright.models.weights import weights

GGUF = b"GGUF" + bytes(range(256)) * 4000  # about a megabyte
GB = 2**30


@pytest.fixture
def registry() -> Iterator[Registry]:
    double = Registry()
    server = serve(double)
    yield double
    server.shutdown()
    server.server_close()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", reserve=0)


@pytest.fixture
def downloader() -> Iterator[Downloader]:
    with new_client() as client:
        yield Downloader(client, sleep=lambda _seconds: None)


@pytest.fixture
def what(models: Models) -> Wanted:
    return wanted(models, "qwen3-8b", "q4_k_m")


def ollama(registry: Registry) -> list[SourceSettings]:
    registry.ollama("qwen3", "8b-q4_K_M", {"model": GGUF, "license": b"Apache", "template": b"{{ .Prompt }}"})
    return [RegistrySource(kind="ollama", url=registry.url)]


def blob_path(registry: Registry) -> str:
    return max(registry.content, key=lambda path: len(registry.content[path]))


def content(store: Store, manifest: Manifest) -> dict[str, bytes]:
    tree = store.tree(manifest.model, manifest.quantisation)
    return {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*") if path.is_file()}


def test_pull_from_ollamas_registry(
    registry: Registry, store: Store, downloader: Downloader, what: Wanted
) -> None:
    manifest = pull(what, ollama(registry), store, downloader)
    assert content(store, manifest)["model.gguf"] == GGUF
    assert content(store, manifest)["LICENSE"] == b"Apache"
    assert (manifest.source, manifest.name, manifest.licence) == ("ollama", "qwen3:8b-q4_K_M", "Apache-2.0")
    assert {each.path for each in manifest.files} == {"model.gguf", "LICENSE", "template", "config.json"}
    assert store.manifest("qwen3-8b", "q4_k_m") == manifest
    assert not list((store.root / "partial").iterdir())


def test_pull_from_hugging_face(
    registry: Registry, store: Store, downloader: Downloader, models: Models
) -> None:
    files = {
        "config.json": b'{"a": 1}',
        "model.safetensors": GGUF,
        "pytorch_model.bin": b"again",
        "LICENSE": b"A",
        "onnx/model.onnx": b"no",
        ".gitattributes": b"no",
        "empty.txt": b"",
    }
    registry.huggingface("Qwen/Qwen3-8B", files)
    what = wanted(models, "qwen3-8b", "bf16")
    manifest = pull(what, [HubSource(kind="huggingface", url=registry.url)], store, downloader)
    assert set(content(store, manifest)) == {"config.json", "model.safetensors", "LICENSE", "empty.txt"}
    assert manifest.licence_of_source == "apache-2.0"
    before = len(registry.requests)
    assert pull(what, [HubSource(kind="huggingface", url=registry.url)], store, downloader) == manifest
    assert len(registry.requests) == before + 1, "what is there of the same commit is not fetched again"


def test_pull_of_some_files_of_modelscope(
    registry: Registry, store: Store, downloader: Downloader, what: Wanted
) -> None:
    registry.modelscope(
        "Qwen/Qwen3-8B-GGUF", {"Qwen3-8B-Q4_K_M.gguf": GGUF, "Qwen3-8B-Q8_0.gguf": b"other", "LICENSE": b"A"}
    )
    manifest = pull(what, [HubSource(kind="modelscope", url=registry.url)], store, downloader)
    assert set(content(store, manifest)) == {"Qwen3-8B-Q4_K_M.gguf", "LICENSE"}
    assert manifest.licence_of_source == "Apache License 2.0"


def test_a_cut_in_the_middle_goes_on(
    registry: Registry, store: Store, downloader: Downloader, what: Wanted
) -> None:
    sources = ollama(registry)
    path = blob_path(registry)
    registry.cut_after[path], registry.cuts[path] = 100_000, 4
    manifest = pull(what, sources, store, downloader)
    assert content(store, manifest)["model.gguf"] == GGUF
    assert registry.sent[path] == len(GGUF), "no byte was sent twice"


def test_a_pull_that_was_ended_goes_on_in_the_next_run(
    registry: Registry, store: Store, downloader: Downloader, what: Wanted
) -> None:
    sources = ollama(registry)
    path = blob_path(registry)
    registry.cut_after[path], registry.cuts[path] = 300_000, 1

    def die(_path: str, done: int, _size: int) -> None:
        if done >= 300_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(what, sources, store, replace(downloader, progress=die))
    assert store.manifest("qwen3-8b", "q4_k_m") is None
    assert [each.stat().st_size for each in (store.root / "partial").iterdir()] == [300_000]
    pull(what, sources, store, downloader)
    ranges = [headers.get("Range") for asked, headers in registry.requests if asked == path]
    assert ranges == [None, "bytes=300000-"]


def test_a_server_without_ranges_sends_all_of_it_again(
    registry: Registry, store: Store, downloader: Downloader, what: Wanted
) -> None:
    sources, registry.ranges = ollama(registry), False
    path = blob_path(registry)
    registry.cut_after[path], registry.cuts[path] = 100_000, 1
    assert content(store, pull(what, sources, store, downloader))["model.gguf"] == GGUF


def test_a_server_that_is_busy_is_asked_again(
    registry: Registry, store: Store, downloader: Downloader, what: Wanted
) -> None:
    sources = ollama(registry)
    registry.busy[blob_path(registry)] = 2
    assert content(store, pull(what, sources, store, downloader))["model.gguf"] == GGUF


def test_a_source_that_brings_nothing_is_given_up(
    registry: Registry, store: Store, downloader: Downloader, what: Wanted
) -> None:
    sources = ollama(registry)
    path = blob_path(registry)
    registry.cut_after[path], registry.cuts[path] = 0, 1000
    with pytest.raises(StoreError, match="was cut 5 times without a byte more"):
        pull(what, sources, store, downloader)


def test_content_that_was_damaged_on_the_way_is_fetched_again(
    registry: Registry, store: Store, downloader: Downloader, what: Wanted
) -> None:
    sources = ollama(registry)
    registry.corrupt[blob_path(registry)] = 1
    assert content(store, pull(what, sources, store, downloader))["model.gguf"] == GGUF


def test_a_source_whose_content_is_damaged_is_refused(
    registry: Registry, store: Store, downloader: Downloader, what: Wanted
) -> None:
    sources = ollama(registry)
    registry.corrupt[blob_path(registry)] = 1000
    with pytest.raises(StoreError, match="is not what its checksum says"):
        pull(what, sources, store, downloader)
    assert store.manifest("qwen3-8b", "q4_k_m") is None
    assert not store.tree("qwen3-8b", "q4_k_m").exists()


def test_gits_name_of_a_small_file_is_checked(
    registry: Registry, store: Store, downloader: Downloader, models: Models
) -> None:
    registry.huggingface("Qwen/Qwen3-8B", {"config.json": b'{"layers": 36}'})
    path = next(path for path in registry.content if path.endswith("config.json"))
    registry.content[path] = b'{"layers": 99}'
    with pytest.raises(StoreError, match=r"config\.json is not what its checksum says"):
        pull(
            wanted(models, "qwen3-8b", "bf16"),
            [HubSource(kind="huggingface", url=registry.url)],
            store,
            downloader,
        )


def test_verify_finds_damage_and_fetches_it_again(
    registry: Registry, store: Store, downloader: Downloader, what: Wanted
) -> None:
    sources = ollama(registry)
    manifest = pull(what, sources, store, downloader)
    assert mend(what, sources, store, downloader) == []
    blob = store.blob(next(each.sha256 for each in manifest.files if each.path == "model.gguf"))
    blob.chmod(0o644)
    data = bytearray(GGUF)
    data[5000] ^= 1
    blob.write_bytes(data)
    assert store.damaged(manifest) == ["model.gguf"]
    assert mend(what, sources, store, downloader) == ["model.gguf"]
    assert content(store, manifest)["model.gguf"] == GGUF
    assert store.damaged(manifest) == []


def test_a_full_disk_is_refused_before_the_start(
    registry: Registry, tmp_path: Path, downloader: Downloader, what: Wanted
) -> None:
    sources = ollama(registry)
    store = Store(tmp_path / "store", reserve=shutil.disk_usage(tmp_path).total)
    with pytest.raises(StoreError, match="are to come") as caught:
        pull(what, sources, store, downloader)
    assert "rackwright models remove" in str(caught.value.hint)
    assert registry.sent == {}, "not one byte of a file was fetched"
    assert not (store.root / "partial").exists()


def test_what_has_come_already_needs_no_room(
    registry: Registry, tmp_path: Path, downloader: Downloader, what: Wanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = ollama(registry)
    asked: list[int] = []
    store = Store(tmp_path / "store", reserve=0)
    monkeypatch.setattr(store, "check_space", asked.append)
    pull(what, sources, store, downloader)
    pull(what, sources, store, downloader)
    assert asked[0] > len(GGUF)
    assert asked[1] == 0


def test_content_is_stored_once(
    registry: Registry, store: Store, downloader: Downloader, models: Models
) -> None:
    registry.ollama("qwen3", "8b-q4_K_M", {"model": GGUF, "license": b"Apache"})
    registry.ollama("qwen3", "8b-q8_0", {"model": GGUF[::-1], "license": b"Apache"})
    registry.modelscope("Qwen/Qwen3-8B-GGUF", {"Qwen3-8B-Q8_0.gguf": GGUF[::-1]})
    source: list[SourceSettings] = [RegistrySource(kind="ollama", url=registry.url)]
    first = pull(wanted(models, "qwen3-8b", "q4_k_m"), source, store, downloader)
    second = pull(wanted(models, "qwen3-8b", "q8_0"), source, store, downloader)
    shared = {each.sha256 for each in first.files} & {each.sha256 for each in second.files}
    assert len(shared) == 2, "the licence and the configuration"
    licence = store.tree("qwen3-8b", "q4_k_m") / "LICENSE"
    assert licence.samefile(store.tree("qwen3-8b", "q8_0") / "LICENSE")
    assert store.remove("qwen3-8b", "q4_k_m") == len(GGUF)
    assert store.damaged(second) == [], "what the other has stays"
    store.remove("qwen3-8b", "q8_0")
    assert not list((store.root / "blobs").iterdir())
    assert not list((store.root / "trees").iterdir())


def test_a_new_revision_takes_the_place_of_the_old(
    registry: Registry, store: Store, downloader: Downloader, what: Wanted
) -> None:
    sources = ollama(registry)
    old = pull(what, sources, store, downloader)
    registry.ollama("qwen3", "8b-q4_K_M", {"model": GGUF + b"more", "license": b"Apache"})
    new = pull(what, sources, store, downloader)
    assert new.revision != old.revision
    assert content(store, new)["model.gguf"] == GGUF + b"more"
    assert len(list((store.root / "blobs").iterdir())) == 3
    assert not (store.tree("qwen3-8b", "q4_k_m") / "template").exists()


def test_the_first_source_that_has_it_is_taken(
    registry: Registry, store: Store, downloader: Downloader, what: Wanted, tmp_path: Path
) -> None:
    sources = [FolderSource(kind="folder", path=str(tmp_path / "none")), *ollama(registry)]
    assert pull(what, sources, store, downloader).source == "ollama"


def test_no_source_says_what_each_answered(
    store: Store, downloader: Downloader, what: Wanted, registry: Registry
) -> None:
    sources: list[SourceSettings] = [
        FolderSource(kind="folder", path="/nowhere"),
        RegistrySource(kind="ollama", url=registry.url),
        HubSource(kind="huggingface", url="http://127.0.0.1:1"),
    ]
    with pytest.raises(StoreError) as caught:
        pull(what, sources, store, downloader)
    for part in (
        "folder: it has no qwen3-8b",
        "ollama: 127.0.0.1 answers 404",
        "huggingface: 127.0.0.1 cannot be asked",
    ):
        assert part in caught.value.message
    with pytest.raises(StoreError, match="no model source is set"):
        pull(what, [], store, downloader)


def test_a_token_goes_to_the_source_alone(
    registry: Registry, store: Store, downloader: Downloader, models: Models
) -> None:
    other = Registry()
    server = serve(other)
    try:
        registry.tokens = {"secret"}
        registry.huggingface("Qwen/Qwen3-8B", {"model.safetensors": GGUF})
        cdn = next(iter(registry.redirects))
        other.content[registry.redirects[cdn]] = GGUF
        # The same address by another name is another host.
        registry.redirects[cdn] = other.url.replace("127.0.0.1", "localhost") + registry.redirects[cdn]
        what = wanted(models, "qwen3-8b", "bf16")
        with pytest.raises(StoreError, match="answers 401"):
            pull(what, [HubSource(kind="huggingface", url=registry.url)], store, downloader)
        pull(what, [HubSource(kind="huggingface", url=registry.url, token="secret")], store, downloader)
        assert all("Authorization" not in headers for _, headers in other.requests)
        assert other.requests
    finally:
        server.shutdown()
        server.server_close()


def test_paths_that_lead_out_are_refused(
    registry: Registry, store: Store, downloader: Downloader, models: Models
) -> None:
    registry.huggingface("Qwen/Qwen3-8B", {"../../evil.safetensors": GGUF})
    with pytest.raises(StoreError, match="no path below"):
        pull(
            wanted(models, "qwen3-8b", "bf16"),
            [HubSource(kind="huggingface", url=registry.url)],
            store,
            downloader,
        )


@pytest.mark.parametrize("kind", ["folder", "mirror"])
def test_no_internet_and_a_bundle(
    kind: str, registry: Registry, store: Store, downloader: Downloader, what: Wanted, tmp_path: Path
) -> None:
    carried = Store(tmp_path / "carried", reserve=0)
    original = pull(what, ollama(registry), carried, downloader)
    bundle = tmp_path / "bundle"
    directory = export(carried, "qwen3-8b", "q4_k_m", bundle)
    registry.answers.clear()
    registry.content.clear()
    source: SourceSettings = FolderSource(kind="folder", path=str(bundle))
    if kind == "mirror":
        for path in directory.rglob("*"):
            if path.is_file():
                registry.content[f"/models/{path.relative_to(bundle)}"] = path.read_bytes()
        source = MirrorSource(kind="mirror", url=f"{registry.url}/models")
    manifest = pull(what, [source], store, downloader)
    assert content(store, manifest) == content(carried, original)
    assert manifest.source == kind
    if kind == "folder":
        (directory / "model.gguf").write_bytes(GGUF[:-1] + b"x")
        store.remove("qwen3-8b", "q4_k_m")
        with pytest.raises(StoreError, match="is not what its checksum says"):
            pull(what, [source], store, downloader)


def test_a_manifest_that_is_none(store: Store, downloader: Downloader, what: Wanted, tmp_path: Path) -> None:
    directory = tmp_path / "bundle" / "qwen3-8b" / "q4_k_m"
    directory.mkdir(parents=True)
    (directory / "manifest.json").write_text(
        json.dumps({"model": "qwen3-8b", "files": [{"path": "/etc/passwd"}]})
    )
    with pytest.raises(StoreError, match="is no manifest"):
        pull(what, [FolderSource(kind="folder", path=str(tmp_path / "bundle"))], store, downloader)


def test_two_pulls_at_once_wait_for_each_other(
    registry: Registry, store: Store, what: Wanted, models: Models
) -> None:
    sources = ollama(registry)
    registry.ollama("qwen3", "8b-q8_0", {"model": GGUF[::-1]})
    errors: list[BaseException] = []

    def work(each: Wanted) -> None:
        try:
            with new_client() as client:
                pull(each, sources, store, Downloader(client, sleep=lambda _: None), wait=30)
        except BaseException as error:  # noqa: BLE001 - shown by the test
            errors.append(error)

    jobs = [what, wanted(models, "qwen3-8b", "q8_0"), what, what]
    threads = [threading.Thread(target=work, args=(each,)) for each in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [store.damaged(manifest) for manifest in store.manifests()] == [[], []]
    assert registry.sent[blob_path(registry)] == len(GGUF), "fetched once for all"


def test_a_second_writer_is_told_who_writes(store: Store) -> None:
    told = r"another process writes to the store: process \d+ on"
    with one_writer(store.lock), pytest.raises(StoreError, match=told), one_writer(store.lock):
        pass
    with one_writer(store.lock):
        pass


def test_the_lock_of_a_writer_that_was_killed_is_free(store: Store) -> None:
    code = (
        "import sys, time; from pathlib import Path; from rackwright.models.store.lock import one_writer\n"
        "with one_writer(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(store.lock)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"held\n"
    with pytest.raises(StoreError), one_writer(store.lock):
        pass
    writer.kill()
    writer.wait()
    writer.stdout.close()
    started = time.monotonic()
    with one_writer(store.lock, wait=5):
        assert time.monotonic() - started < 5
        assert store.lock.exists()


def test_clean_drops_what_nobody_will_finish(
    registry: Registry, store: Store, downloader: Downloader, what: Wanted
) -> None:
    sources = ollama(registry)
    manifest = pull(what, sources, store, downloader)
    (store.root / "partial" / "sha256-0").write_bytes(b"half")
    (store.root / "blobs" / ("0" * 64)).write_bytes(b"nobody's")
    assert store.clean() == len(b"half") + len(b"nobody's")
    assert store.damaged(manifest) == []


@pytest.fixture
def small(models: Models) -> Models:
    """A model of some megabytes, so that a file of its size is quickly written."""
    model = models.models["nomic-embed-text"]
    shape = model.architecture.model_copy(update={"layers": 1, "vocabulary": 512, "ffn": 256})
    return replace(models, models={"small": model.model_copy(update={"architecture": shape})})


def made(path: Path, start: bytes, size: int) -> Path:
    with path.open("wb") as stream:
        stream.write(start)
        stream.truncate(size)
    return path


def test_import_of_a_file(small: Models, store: Store, tmp_path: Path) -> None:
    what = wanted(small, "small", "fp16")
    size = round(weights(what.model, "fp16", small.quantisations["fp16"]).total)
    path = made(tmp_path / "small.gguf", b"GGUF", size)
    manifest = import_files(what, path, small, store)
    assert manifest.licence == "Apache-2.0"
    assert manifest.files[0].sha256 == sha256_of(path)
    assert (store.tree("small", "fp16") / "small.gguf").stat().st_size == size


@pytest.mark.parametrize(
    ("share", "start", "message"),
    [(1.0, b"<htm", "is no GGUF file"), (0.5, b"GGUF", "the files have 0.00 GB")],
)
def test_import_of_something_else(
    small: Models, store: Store, tmp_path: Path, share: float, start: bytes, message: str
) -> None:
    what = wanted(small, "small", "fp16")
    size = round(weights(what.model, "fp16", small.quantisations["fp16"]).total * share)
    with pytest.raises(StoreError, match=message):
        import_files(what, made(tmp_path / "small.gguf", start, size), small, store)
    assert not (store.root / "models").exists()


def test_import_of_nothing(models: Models, store: Store, tmp_path: Path) -> None:
    what = wanted(models, "nomic-embed-text", "fp16")
    with pytest.raises(StoreError, match="does not exist"):
        import_files(what, tmp_path / "none", models, store)
    (tmp_path / "a.bin").write_bytes(b"x")
    with pytest.raises(StoreError, match=r"is of \.gguf files, and there is none"):
        import_files(what, tmp_path, models, store)


def test_an_unknown_build(models: Models) -> None:
    with pytest.raises(StoreError, match="has no build q1"):
        wanted(models, "qwen3-8b", "q1")
