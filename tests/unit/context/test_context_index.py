from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from studio.context.extract import extract
from studio.context.index import TreeSitterIndex
from studio.context.languages import EXTENSIONS
from studio.context.queries import QUERIES
from studio.context.rank import rank
from studio.domain.brief import parse_brief
from studio.domain.errors import BriefError
from studio.domain.memory import Collection, MemoryItem, Recalled
from studio.domain.words import split_words
from studio.ports.engine import ContextIndex

FILES = {
    "shop/store.py": (
        "class LinkStore:\n    '''Keeps links.'''\n\n    def save_link(self, target: str, days: int = 7) -> str:\n"
        "        return target\n\n    def find_link(self, code: str) -> str | None:\n        return None\n"
    ),
    "shop/api.py": (
        "from shop.store import LinkStore\n\ndef create_app(store: LinkStore) -> object:\n"
        "    store.save_link('x')\n    store.find_link('y')\n    return object()\n"
    ),
    "shop/cli.py": "from shop.store import LinkStore\n\ndef main() -> None:\n    LinkStore().save_link('x')\n",
    "shop/unused.py": "def never_called() -> None:\n    pass\n",
    "secrets/vault.py": "class VaultMaster:\n    def open_vault(self):\n        return 'expiry link store'\n",
    "README.md": "A shop for links.\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for path, text in FILES.items():
        where = tmp_path / "tree" / path
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text(text)
    return tmp_path / "tree"


def listed(tree: Path) -> list[tuple[str, str]]:
    return [
        (path.relative_to(tree).as_posix(), hashlib.sha1(path.read_bytes()).hexdigest())  # noqa: S324 -- a blob id
        for path in sorted(tree.rglob("*"))
        if path.is_file() and not path.is_symlink()
    ]


SOURCES = {
    "a.py": (
        b"class A(Base):\n    @deco\n    def f(self,\n          x: int) -> B:\n        return g(x)\nLIMIT = 3\n",
        "A f LIMIT",
    ),
    "a.js": (b"export class A { f() { g(); } }\nconst h = () => k();\nfunction m() {}\n", "A f h m"),
    "a.ts": (
        b"interface I { x: T }\ntype U = I;\nenum E { A }\nabstract class A { f(): I { return g(); } }\n",
        "I U E A f",
    ),
    "a.tsx": (b"export const A = () => <B x={1} />;\nfunction C() { return <D></D>; }\n", "A C"),
    "a.go": (
        b"package a\ntype T struct{}\nfunc (t T) F() { g() }\nfunc H() T { return T{} }\nconst K = 1\n",
        "T F H K",
    ),
    "A.java": (b"class A { A() {} void f() { g(); } interface I {} enum E { X } record R(int x) {} }", "A A f I E R"),
    "a.rs": (
        b"struct S; enum E { A } trait T { fn t(); } impl S { fn f() { g(); m::h(); } } macro_rules! q { () => {} }",
        "S E T t f q",
    ),
    "a.rb": (b"module M\n  class C < B\n    def f\n      g(1)\n    end\n    def self.h; end\n  end\nend\n", "M C f h"),
    "a.php": (b"<?php\nclass C extends B { function f() { g(); } }\nfunction h() { new D(); }\n", "C f h"),
}


@pytest.mark.parametrize("path", sorted(SOURCES))
def test_definitions_and_references_of_each_language(path: str) -> None:
    data, names = SOURCES[path]
    tags = extract(path, data)
    assert [definition.name for definition in tags.definitions] == names.split()
    assert all(1 <= definition.start <= definition.end for definition in tags.definitions)
    assert tags.references


def test_every_parsed_language_has_a_query() -> None:
    assert set(EXTENSIONS.values()) == set(QUERIES)


def test_signatures_leave_the_body_out() -> None:
    index = TreeSitterIndex()
    (_, second, _) = index.outline("a.py", SOURCES["a.py"][0])
    assert second.signature == "def f(self, x: int) -> B"
    assert (second.kind, second.start_line, second.end_line) == ("function", 3, 5)


def test_the_map_shows_what_others_use_first_and_keeps_its_budget(tree: Path) -> None:
    index: ContextIndex = TreeSitterIndex()
    whole = index.repo_map(tree, listed(tree), 400, ())
    assert whole.index("shop/store.py") < whole.index("shop/unused.py")
    assert "class LinkStore" in whole
    assert "    4   def save_link(self, target: str, days: int = 7) -> str" in whole
    assert "README.md" in whole
    for tokens in (0, 1, 10, 40, 80):
        assert len(index.repo_map(tree, listed(tree), tokens, ())) <= tokens * 4
    small = index.repo_map(tree, listed(tree), 25, ())
    assert "LinkStore" in small
    assert "never_called" not in small


def test_focus_moves_the_ranking(tree: Path) -> None:
    index = TreeSitterIndex()
    tags = {path: extract(path, text.encode()) for path, text in FILES.items()}
    plain, _ = rank(tags)
    near, _ = rank(tags, ["shop/unused.py"])
    assert near["shop/unused.py"] > plain["shop/unused.py"]
    assert sum(plain.values()) == pytest.approx(1.0, abs=1e-3)
    assert index.repo_map(tree, listed(tree), 400, ["shop/unused.py"]).startswith("shop/unused.py")


def test_a_cache_is_used_across_instances_and_survives_damage(tree: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache" / "index.sqlite"
    first = TreeSitterIndex(cache)
    expected = first.repo_map(tree, listed(tree), 400, ())
    first.close()
    files = listed(tree)
    (tree / "shop" / "store.py").write_text("x = 1\n")
    second = TreeSitterIndex(cache)
    assert second.repo_map(tree, files, 400, ()) == expected
    second.close()
    cache.write_bytes(b"this is no database" * 100)
    assert (
        "LinkStore" not in TreeSitterIndex(cache).repo_map(tree, listed(tree), 400, ()).split("shop/store.py:")[-1][:20]
    )


def test_a_pack_holds_what_is_named_what_fits_and_what_is_missing(tree: Path) -> None:
    brief = parse_brief(
        "expiry",
        "---\ncontext: shop/cli.py\n---\n# Expiry\nMake `find_link` in store.py drop old links. Add shop/sweep.py.\n",
    )
    pack = TreeSitterIndex().gather(brief, tree, listed(tree), 2_000, ["secrets/"])
    reasons = {file.path: file.reason for file in pack.files}
    assert reasons["shop/cli.py"] == "the brief's context"
    assert reasons["shop/store.py"] == "named in the brief"
    assert dict(pack.read)["shop/sweep.py"] == ""
    assert dict(pack.read)["shop/store.py"] == dict(listed(tree))["shop/store.py"]
    assert 0 < pack.tokens <= 2_000


def test_nothing_of_a_private_path_is_in_a_pack(tree: Path) -> None:
    brief = parse_brief(
        "b",
        "---\nprivate: ['*.key']\ncontext: ['**']\n---\nOpen the vault store in secrets/vault.py with VaultMaster and a.key.\n",
    )
    (tree / "a.key").write_text("very secret vault store\n")
    index = TreeSitterIndex()
    index.gather(brief, tree, listed(tree), 4_000, [])
    told = MemoryItem("m1", Collection.CODE, "open_vault opens", "p", "file secrets/vault.py")
    fine = MemoryItem("m2", Collection.FACTS, "links expire", "p", "person Ada")
    memories = [Recalled(told, 1.0, ""), Recalled(fine, 1.0, "")]
    pack = index.gather(brief, tree, listed(tree), 4_000, ["secrets/**"], memories)
    seen = pack.repo_map + repr(pack.files) + repr(pack.memories) + repr(pack.read)
    for word in ("vault", "Vault", "a.key", "very secret"):
        assert word not in seen
    assert [memory.item.id for memory in pack.memories] == ["m2"]


def test_large_files_are_cut_around_the_definition_that_fits(tree: Path) -> None:
    filler = "".join(f"def filler_{number}() -> int:\n    return {number}\n\n\n" for number in range(400))
    (tree / "shop" / "big.py").write_text(f"{filler}def purge_expired_links() -> None:\n    pass\n")
    brief = parse_brief("b", "Let purge_expired_links also purge visits.\n")
    pack = TreeSitterIndex().gather(brief, tree, listed(tree), 800, [])
    big = next(file for file in pack.files if file.path == "shop/big.py")
    assert big.text.startswith("def purge_expired_links")
    assert "lines 1601-1602 of 1602" in big.reason
    assert pack.tokens <= 800


def test_a_broken_glob_is_the_briefs_mistake(tree: Path) -> None:
    with pytest.raises(BriefError):
        TreeSitterIndex().gather(parse_brief("b", "Do it.\n"), tree, [], 100, ["!"])


def test_hostile_content_is_passed_over(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text("class OutsideSecret:\n    pass\n")
    (tree / "link.py").symlink_to(tmp_path / "outside.py")
    (tree / "linked").symlink_to(tmp_path)
    (tree / "binary.py").write_bytes(b"\x00\x01class Binary:\n")
    (tree / "latin.py").write_bytes(b"class Caf\xe9:\n    pass\n")
    (tree / "deep.py").write_text("(" * 50_000)
    (tree / "huge.js").write_text("var a=1;" * 300_000)
    files = [*listed(tree), ("link.py", "l"), ("linked/outside.py", "o"), ("gone.py", "g"), ("../outside.py", "u")]
    brief = parse_brief("b", "OutsideSecret in link.py and ../outside.py\n")
    pack = TreeSitterIndex().gather(brief, tree, files, 4_000, [])
    assert "class OutsideSecret" not in pack.repo_map + repr(pack.files)


def test_identifiers_are_split() -> None:
    assert split_words("readJSON_file2 größe") == ["readjson_file2", "read", "json", "file", "2", "größe"]
