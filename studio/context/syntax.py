"""The syntax gate: where a file does not parse, in words that point at the place."""

from __future__ import annotations

from collections.abc import Iterator

from studio.context.grammar import Node, parse
from studio.context.languages import language_of, looks_generated
from studio.domain.checks import Finding, Level

__all__ = ["TreeSitterSyntax"]

MAX_FINDINGS = 20
_SHOWN = 40
_CLOSERS = {")": "(", "]": "[", "}": "{"}
_OPENERS = frozenset(_CLOSERS.values())


class TreeSitterSyntax:
    """Implements `studio.ports.engine.SyntaxGate`.

    Binary, minified and very large files, and files in no known language, have no errors: they are not parsed.
    """

    def language(self, path: str) -> str | None:
        """Return the language of a path, None if it is not parsed."""
        return language_of(path)

    def errors(self, path: str, data: bytes) -> list[Finding]:
        """Return up to 20 syntax errors of a file, in order; empty for an unknown language or a clean file."""
        language = language_of(path)
        if language is None or looks_generated(path, data):
            return []
        tree = parse(language, data)
        if tree is None or not tree.root_node.has_error:
            return []
        lines = data.split(b"\n")
        findings: list[Finding] = []
        seen: set[tuple[int, int]] = set()
        for node, rule, message in _problems(tree.root_node):
            point = node.start_point
            if (point.row, point.column) in seen:
                continue
            seen.add((point.row, point.column))
            findings.append(_finding(path, lines, node, rule, message))
            if len(findings) == MAX_FINDINGS:
                break
        return sorted(findings, key=lambda finding: (finding.start_line, finding.start_column))


def _problems(root: Node) -> Iterator[tuple[Node, str, str]]:
    """Yield (node, rule, message) of missing tokens, unclosed brackets and text that fits nowhere.

    Only subtrees with errors are entered. A cursor walks them, since a tree may be deeper than Python's stack.
    """
    cursor = root.walk()
    while True:
        node = cursor.node
        if node is not None:
            yield from _problem(node)
        if node is not None and node.has_error and cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return


def _problem(node: Node) -> Iterator[tuple[Node, str, str]]:
    if node.is_missing:
        yield node, "missing", f"missing `{_shown(node.type)}`"
        return
    if not node.is_error:
        return
    opened, stray, nested = _brackets(node)
    if opened is not None:
        yield opened, "unclosed", f"`{opened.type}` is never closed"
    elif stray is not None:
        yield stray, "unexpected", f"unexpected `{stray.type}`"
    elif not nested:
        yield node, "unexpected", f"unexpected `{_text(node)}`"


def _brackets(node: Node) -> tuple[Node | None, Node | None, bool]:
    """Return the last bracket opened and not closed, the first closed and not opened, and whether errors are nested."""
    cursor = node.walk()
    opened: list[Node] = []
    stray: Node | None = None
    nested = False
    alive = cursor.goto_first_child()
    while alive:
        child = cursor.node
        if child is not None:
            nested = nested or child.has_error
            if child.type in _OPENERS:
                opened.append(child)
            elif child.type in _CLOSERS:
                if opened and _CLOSERS[child.type] == opened[-1].type:
                    opened.pop()
                else:
                    stray = stray or child
        alive = cursor.goto_next_sibling()
    return opened[-1] if opened else None, stray, nested


def _text(node: Node) -> str:
    raw = (node.text or b"")[: 4 * _SHOWN].split(b"\n", 1)[0].decode("utf-8", "replace")
    return _shown(raw.strip()) or "end of file"


def _shown(text: str) -> str:
    clean = "".join(char if char.isprintable() else "�" for char in text)
    return clean if len(clean) <= _SHOWN else f"{clean[:_SHOWN]}…"


def _finding(path: str, lines: list[bytes], node: Node, rule: str, message: str) -> Finding:
    start, end = node.start_point, node.end_point
    line = lines[start.row] if start.row < len(lines) else b""
    column = len(line[: start.column].decode("utf-8", "replace")) + 1
    return Finding(
        check="syntax",
        rule=rule,
        level=Level.ERROR,
        message=f"line {start.row + 1}, column {column}: {message}",
        path=path,
        start_line=start.row + 1,
        end_line=max(start.row, end.row if rule != "unexpected" else start.row) + 1,
        start_column=column,
    )
