"""The memory port's contract, held by the embedded store and by a ChromaDB server on loopback."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from studio.domain.errors import UsageError
from studio.domain.memory import Collection, MemoryItem, MemoryState
from studio.memory.store import ChromaMemory
from studio.ports.engine import Memory

Open = Callable[..., ChromaMemory]
NOW = 1_800_000_000.0


def item(name: str, text: str, collection: Collection = Collection.FACTS, **more: object) -> MemoryItem:
    fields: dict[str, object] = {"project": "p", "source": "person Ada", "created": NOW, **more}
    return MemoryItem(name, collection, text, **fields)  # pyright: ignore[reportArgumentType] -- fields by name


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    where = tmp_path_factory.mktemp("server")
    chroma = Path(sys.executable).with_name("chroma")
    process = subprocess.Popen(
        [chroma, "run", "--path", where, "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/heartbeat", timeout=1).close()
                break
            except (urllib.error.URLError, ConnectionError):
                assert process.poll() is None
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@pytest.fixture(params=["embedded", "server"])
def open_memory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    where: Path | str = tmp_path / "memory"
    if request.param == "server":
        where = request.getfixturevalue("server")
    opened: list[ChromaMemory] = []

    def open_one(**more: object) -> ChromaMemory:
        options: dict[str, object] = {"embedder": "none", "clock": lambda: NOW, **more}
        memory = ChromaMemory(where, "p", **options)  # pyright: ignore[reportArgumentType] -- options by name
        if not opened:
            memory.rebuild([])
        opened.append(memory)
        return memory

    yield open_one
    for memory in opened:
        memory.close()


def test_what_was_remembered_is_recalled_with_its_reason(open_memory: Open) -> None:
    memory: Memory = open_memory()
    memory.remember([
        item("m-1", "Links expire after seven days"),
        item("m-2", "def save_link(target): ...", Collection.CODE, tags=("shop/store.py",)),
        item("m-3", "The API listens on port 8080"),
    ])  # fmt: skip
    assert memory.ranking == "lexical"
    (first, *_) = memory.recall("when does a link expire?", [Collection.FACTS, Collection.CODE], 5)
    assert first.item.id == "m-1"
    assert "expire" in first.why
    assert "number 1" in first.why
    assert [found.item.id for found in memory.recall("saveLink store", [Collection.CODE], 5)] == ["m-2"]
    assert memory.recall("expire", [Collection.BRIEFS], 5) == []
    assert memory.recall("nothing like it", [Collection.FACTS], 5) == []
    assert {found.item.id for found in memory.recall("", [], 5)} == {"m-1", "m-2", "m-3"}
    assert memory.recall("link", [], 0) == []


def test_retracted_expired_and_foreign_items_are_not_recalled(open_memory: Open) -> None:
    memory = open_memory()
    memory.remember([
        item("m-ok", "links expire"),
        item("m-re", "links expire", state=MemoryState.RETRACTED),
        item("m-ex", "links expire", expires=NOW - 1),
        item("m-la", "links expire", expires=NOW + 1),
        item("m-fo", "links expire", project="other"),
        item("m-al", "links expire", project=""),
        item("m-pr", "links expire", state=MemoryState.PROPOSED),
    ])  # fmt: skip
    found = memory.recall("expire", [], 10)
    assert {recalled.item.id for recalled in found} == {"m-ok", "m-la", "m-al", "m-pr"}
    assert found[-1].item.id == "m-pr"
    assert "not confirmed" in found[-1].why
    retracted = memory.get("m-re")
    assert retracted is not None
    assert retracted.state is MemoryState.RETRACTED


def test_an_item_is_replaced_forgotten_and_rebuilt(open_memory: Open) -> None:
    memory = open_memory()
    memory.remember([item("m-1", "old words"), item("m-2", "others")])
    memory.remember([item("m-1", "new words")])
    assert [found.item.text for found in memory.recall("words", [], 5)] == ["new words"]
    assert memory.forget("m-1")
    assert not memory.forget("m-1")
    assert memory.get("m-1") is None
    assert memory.recall("words", [], 5) == []
    memory.rebuild([item("m-3", "rebuilt words")])
    assert memory.get("m-2") is None
    assert [found.item.id for found in memory.recall("", [], 5)] == ["m-3"]


def test_items_outlive_the_process_that_remembered_them(open_memory: Open) -> None:
    first = open_memory()
    first.remember([item("m-1", "links expire", tags=("a", "b"), expires=NOW + 60)])
    before = first.get("m-1")
    first.close()
    second = open_memory()
    assert second.get("m-1") == before
    assert second.recall("expire", [], 5)[0].item == before


def test_chromadb_holds_every_item(open_memory: Open) -> None:
    memory = open_memory()
    items = [item(f"m-{number}", f"fact number {number}") for number in range(30)]
    memory.remember(items)
    memory.flush()
    with memory._using:
        assert memory._chroma.ids(Collection.FACTS) == {one.id for one in items}
    memory.forget("m-7")
    with memory._using:
        assert memory._chroma.count(Collection.FACTS) == 29
    assert memory.problem == ""


@pytest.mark.parametrize(
    "query", ['"', "' OR 1=1 --", "a AND NOT b*", "NEAR(", "col:x", "\x00\x02", "émoji 🎉", "x" * 100_000]
)
def test_no_query_breaks_it(open_memory: Open, query: str) -> None:
    memory = open_memory()
    memory.remember([item("m-1", "links expire"), item("m-2", query)])
    memory.recall(query, [], 5)


def concepts(texts: list[str]) -> list[list[float]]:
    """Embed by meaning, for two meanings."""
    animals, money = ("dog", "puppy", "cat"), ("price", "cost", "fee")
    return [
        [float(any(word in text for word in animals)), float(any(word in text for word in money)), 0.1]
        for text in texts
    ]


def test_a_real_embedder_is_fused_in(tmp_path: Path) -> None:
    memory = ChromaMemory(tmp_path / "memory", "p", "concepts", embed=concepts, clock=lambda: NOW)
    assert memory.ranking == "lexical + concepts"
    memory.remember([
        item("m-1", "a puppy sleeps"),
        item("m-2", "the fee is due"),
        item("m-3", "a dog barks", state=MemoryState.RETRACTED),
        item("m-4", "the dog eats", expires=NOW - 1),
    ])  # fmt: skip
    (first, *rest) = memory.recall("dog", [], 5)
    assert first.item.id == "m-1"
    assert first.why.startswith("concepts: number 1, distance 0.0")
    assert [found.item.id for found in rest] == ["m-2"]
    memory.close()


def test_words_answer_where_the_model_does_not(tmp_path: Path) -> None:
    def unreachable(_texts: list[str]) -> list[list[float]]:
        raise ConnectionError("nobody listens")

    memory = ChromaMemory(tmp_path, "p", "far", embed=unreachable, clock=lambda: NOW)
    memory.remember([item("m-1", "links expire")])
    assert memory.recall("expire", [], 5)[0].item.id == "m-1"
    assert "nobody listens" in memory.problem
    memory.close()
    again = ChromaMemory(tmp_path, "p", "far", embed=concepts, clock=lambda: NOW)
    again.flush()
    with again._using:
        assert again._chroma.ids(Collection.FACTS) == {"m-1"}
    again.close()


def test_another_embedder_embeds_all_items_again(tmp_path: Path) -> None:
    first = ChromaMemory(tmp_path, "p", "none", clock=lambda: NOW)
    first.remember([item("m-1", "a puppy sleeps")])
    first.close()
    second = ChromaMemory(tmp_path, "p", "concepts", embed=concepts, clock=lambda: NOW)
    assert second.recall("cat", [], 5)[0].item.id == "m-1"
    second.close()


def test_a_second_opener_is_told_so(tmp_path: Path) -> None:
    first = ChromaMemory(tmp_path, "p", "none")
    with pytest.raises(UsageError, match="open in another process"):
        ChromaMemory(tmp_path, "p", "none")
    first.close()
    first.close()
    ChromaMemory(tmp_path, "p", "none").close()


def test_a_lost_chroma_store_is_built_again(tmp_path: Path) -> None:
    first = ChromaMemory(tmp_path, "p", "none", clock=lambda: NOW)
    first.remember([item("m-1", "links expire")])
    first.close()
    (tmp_path / "chroma").rename(tmp_path / "lost")
    second = ChromaMemory(tmp_path, "p", "none", clock=lambda: NOW)
    second.flush()
    with second._using:
        assert second._chroma.ids(Collection.FACTS) == {"m-1"}
    second.close()


def test_what_one_client_writes_another_recalls(server: str) -> None:
    one = ChromaMemory(server, "shared", "none", clock=lambda: NOW)
    other = ChromaMemory(server, "shared", "none", clock=lambda: NOW)
    note = msgspec.structs.replace(item("m-shared", "both see this"), project="shared")
    one.remember([note])
    assert other.recall("see", [Collection.FACTS], 5)[0].item == note
    one.forget("m-shared")
    assert other.recall("see", [Collection.FACTS], 5) == []
    one.close()
    other.close()


def test_words_are_found_without_importing_chromadb(tmp_path: Path) -> None:
    memory = ChromaMemory(tmp_path, "p", "none", clock=lambda: NOW)
    memory.remember([item("m-1", "links expire")])
    memory.close()
    program = (
        "import sys; from pathlib import Path; from studio.memory.store import ChromaMemory;"
        f"m = ChromaMemory(Path({str(tmp_path)!r}), 'p', 'none', clock=lambda: {NOW});"
        "assert m.recall('expire', [], 1)[0].item.id == 'm-1'; assert 'chromadb' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])
