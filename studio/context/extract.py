"""A file's definitions, and the names it refers to."""

from __future__ import annotations

from collections import Counter
from functools import cache

from studio.context.grammar import Node, Query, QueryCursor, compile_query, parse
from studio.context.languages import language_of, looks_generated
from studio.context.queries import BUILTINS, QUERIES
from studio.domain.value import Value

__all__ = ["Definition", "FileTags", "extract"]

MAX_DEFINITIONS = 2_000
MAX_REFERENCES = 5_000
_SIGNATURE = 160
_NAME_FIELDS = ("name", "left")
_BODY_FIELDS = ("body", "value")


class Definition(Value, frozen=True, array_like=True):
    """A definition; lines are 1-based."""

    name: str
    kind: str
    start: int
    end: int
    signature: str


class FileTags(Value, frozen=True, array_like=True):
    """What a file defines, in order, and what it refers to, with counts."""

    definitions: tuple[Definition, ...] = ()
    references: dict[str, int] = {}


@cache
def _query(language: str) -> Query:
    return compile_query(language, QUERIES[language])


def extract(path: str, data: bytes) -> FileTags:
    """Return the tags of a file; none for an unknown language and for what is not worth parsing."""
    language = language_of(path)
    if language is None or looks_generated(path, data):
        return FileTags()
    tree = parse(language, data)
    if tree is None:
        return FileTags()
    captures = QueryCursor(_query(language)).captures(tree.root_node)
    references: Counter[str] = Counter(
        name for node in captures.pop("ref", [])[: 20 * MAX_REFERENCES] if (name := _name(node)) not in BUILTINS
    )
    definitions: dict[int, Definition] = {}
    for kind, nodes in captures.items():
        for node in nodes[:MAX_DEFINITIONS]:
            definitions.setdefault(node.start_byte, _definition(kind, node, data))
    for definition in definitions.values():
        if references.get(definition.name) and language not in {"python", "javascript"}:
            # Type positions match the definition's own name as well.
            references[definition.name] -= 1
    kept = {name: count for name, count in references.most_common(MAX_REFERENCES) if count > 0 and name}
    return FileTags(tuple(definitions[key] for key in sorted(definitions))[:MAX_DEFINITIONS], kept)


def _name(node: Node) -> str:
    return (node.text or b"")[:120].decode("utf-8", "replace")


def _field(node: Node, fields: tuple[str, ...]) -> Node | None:
    """Return the first child under one of the fields. Parents are never asked for: that costs the node's depth."""
    return next((found for field in fields if (found := node.child_by_field_name(field)) is not None), None)


def _definition(kind: str, whole: Node, data: bytes) -> Definition:
    name = _field(whole, _NAME_FIELDS) or whole
    if name.type == "scope_resolution":
        name = _field(name, _NAME_FIELDS) or name
    body = _field(whole, _BODY_FIELDS)
    begin = data.rfind(b"\n", 0, whole.start_byte) + 1
    if data[begin : whole.start_byte].strip():
        begin = whole.start_byte
    end = body.start_byte if body is not None and body.start_byte > whole.start_byte else whole.end_byte
    text = data[begin : min(end, begin + 4 * _SIGNATURE)].decode("utf-8", "replace")
    if body is None:
        text = text.split("\n", 1)[0]
    signature = " ".join(text.split()).rstrip("{=: ").strip()
    return Definition(_name(name), kind, whole.start_point.row + 1, whole.end_point.row + 1, signature[:_SIGNATURE])
