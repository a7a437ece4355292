"""One contract for every vector store: what the app asks of it, and what it must be told.

Against a store of a site in place of those of the test run:

    export RACKWRIGHT_STORE='{"kind": "milvus", "url": "https://…", "api_key": "…", "ca": "ca.pem"}'
    pytest app/tests/test_app_stores.py
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import ssl
from collections.abc import AsyncIterator, Callable
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio
from store_doubles import STORES
from stores import Postgres

from rackwright_app.database.pool import make_pool
from rackwright_app.rag.settings import VectorStore as StoreSettings
from rackwright_app.rag.stores.base import Entry, StoreError, VectorStore
from rackwright_app.rag.stores.make import make_store

SITE = json.loads(os.environ.get("RACKWRIGHT_STORE", "null"))
KINDS = [SITE["kind"]] if SITE else ["pgvector", *STORES]
ALICE = "alice"
# What must not end a text early, nor be taken for another's name.
ODD = ['a"b', "a\\", "a' or 1=1", "Ünïcödé", "王小明", "😀", " ", "ALICE", "alice ", "%", "x" * 120]
Make = Callable[[], VectorStore]
pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture(params=KINDS)
async def make(request: pytest.FixtureRequest) -> AsyncIterator[Make]:
    """Makes the store of one fresh collection, as each worker of the app does for itself."""
    kind, name = request.param, f"contract_4_{uuid4().hex[:8]}"
    given = SITE or {"kind": kind, "url": None if kind == "pgvector" else request.getfixturevalue(kind).url}
    settings = StoreSettings.model_validate(given)
    trusted = ssl.create_default_context(cafile=settings.ca) if settings.ca else True
    postgres: Postgres | None = None if SITE else request.getfixturevalue("postgres")
    async with httpx.AsyncClient(timeout=30, verify=trusted) as client:
        if postgres is None:
            yield lambda: make_store(settings, pool=None, client=client, name=name, dimensions=4)  # type: ignore[arg-type]
            return
        async with make_pool(postgres.settings()) as pool:
            yield lambda: make_store(settings, pool=pool, client=client, name=name, dimensions=4)


@pytest.fixture
def document(make: Make, request: pytest.FixtureRequest) -> Callable[..., tuple[UUID, list[Entry]]]:
    """Makes a document of pieces with these vectors; where vectors hang on the app's rows, with its rows."""
    del make
    postgres: Postgres | None = None if SITE else request.getfixturevalue("postgres")
    numbers = iter(range(uuid4().int % 10**9, 10**10))

    def made(*vectors: tuple[float, ...]) -> tuple[UUID, list[Entry]]:
        name = uuid4()
        chunks = [next(numbers) for _ in vectors]
        if postgres is not None:
            with postgres.connect() as connection:
                chunks = postgres.pieces(connection, name, len(vectors))
        return name, [Entry(chunk, name, vector) for chunk, vector in zip(chunks, vectors, strict=True)]

    return made


Document = Callable[..., tuple[UUID, list[Entry]]]
X, Y, Z = (1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0)
NEAR = (0.9, math.sqrt(1 - 0.81), 0.0, 0.0)


async def test_the_nearest_come_first_with_their_cosine(make: Make, document: Document) -> None:
    store = make()
    _, entries = document(Y, NEAR, X, (-1.0, 0.0, 0.0, 0.0))
    await store.add(ALICE, entries)
    hits = await store.search(ALICE, X, limit=4, documents=None)
    assert [hit.chunk for hit in hits] == [entries[number].chunk for number in (2, 1, 0, 3)]
    assert [round(hit.cosine, 2) for hit in hits] == [1.0, 0.9, 0.0, -1.0]
    assert [hit.chunk for hit in await store.search(ALICE, X, limit=1, documents=None)] == [entries[2].chunk]


async def test_a_vectors_length_does_not_matter(make: Make, document: Document) -> None:
    store = make()
    _, entries = document((10.0, 0.0, 0.0, 0.0), (0.0, 0.01, 0.0, 0.0))
    await store.add(ALICE, entries)
    hits = await store.search(ALICE, (0.0, 5.0, 0.0, 0.0), limit=2, documents=None)
    assert [hit.chunk for hit in hits] == [entries[1].chunk, entries[0].chunk]
    assert math.isclose(hits[0].cosine, 1, abs_tol=0.001)


async def test_nobody_finds_anothers_vectors_whatever_the_names(make: Make, document: Document) -> None:
    store = make()
    kept = {}
    for subject in [ALICE, *ODD]:
        _, entries = document(X)
        await store.add(subject, entries)
        kept[subject] = [entry.chunk for entry in entries]
    for subject, chunks in kept.items():
        hits = await store.search(subject, X, limit=50, documents=None)
        assert [hit.chunk for hit in hits] == chunks, subject
    assert await store.search("nobody", X, limit=50, documents=None) == []


async def test_a_search_keeps_to_documents(make: Make, document: Document) -> None:
    store = make()
    first, one = document(X, Y)
    second, two = document(X, Z)
    third, three = document(X)
    for entries in (one, two, three):
        await store.add(ALICE, entries)
    hits = await store.search(ALICE, X, limit=9, documents=[first, third])
    assert {hit.chunk for hit in hits} == {entry.chunk for entry in (*one, *three)}
    assert await store.search("bob", X, limit=9, documents=[second]) == []
    assert await store.search(ALICE, X, limit=9, documents=[uuid4()]) == []


async def test_a_known_piece_is_replaced(make: Make, document: Document) -> None:
    store = make()
    name, (entry,) = document(X)
    await store.add(ALICE, [entry])
    await store.add(ALICE, [Entry(entry.chunk, name, Y)])
    (hit,) = await store.search(ALICE, Y, limit=9, documents=None)
    assert (hit.chunk, round(hit.cosine, 3)) == (entry.chunk, 1.0)


async def test_a_document_is_forgotten_and_no_other(make: Make, document: Document) -> None:
    store = make()
    gone, one = document(X, Y)
    _, two = document(X)
    await store.add(ALICE, one)
    await store.add(ALICE, two)
    await store.remove(gone)
    assert [hit.chunk for hit in await store.search(ALICE, X, limit=9, documents=None)] == [two[0].chunk]
    await store.remove(gone)
    await store.remove(uuid4())


async def test_many_pieces_are_kept_whole(make: Make, document: Document) -> None:
    store = make()
    count = 600
    _, entries = document(*[(math.cos(n / count), math.sin(n / count), 0.0, 0.0) for n in range(count)])
    await store.add(ALICE, entries)
    hits = await store.search(ALICE, X, limit=200, documents=None)
    assert len(hits) == 200
    assert {hit.chunk for hit in hits[:20]} <= {entry.chunk for entry in entries[:40]}


async def test_an_empty_store_finds_nothing(make: Make) -> None:
    assert await make().search(ALICE, X, limit=5, documents=None) == []


async def test_workers_that_begin_at_once_share_one_collection(make: Make, document: Document) -> None:
    workers = [make() for _ in range(4)]
    kept = [document(X)[1] for _ in workers]
    await asyncio.gather(*[worker.add(ALICE, entries) for worker, entries in zip(workers, kept, strict=True)])
    for worker in workers:
        hits = await worker.search(ALICE, X, limit=9, documents=None)
        assert {hit.chunk for hit in hits} == {entries[0].chunk for entries in kept}


async def test_a_vector_of_another_length_is_refused(make: Make, document: Document) -> None:
    store = make()
    await store.add(ALICE, document(X)[1])
    _, (entry,) = document(X)
    with pytest.raises(StoreError):
        await store.add(ALICE, [Entry(entry.chunk, entry.document, (1.0, 0.0))])
