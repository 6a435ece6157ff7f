"""Syntax colours of source text, by Pygments, imported when first asked."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pygments.lexer import Lexer

__all__ = ["Span", "highlight"]

Span: TypeAlias = "tuple[int, int, str]"
"""Start and end in code points, and one of: keyword, string, number, comment, name."""


def highlight(path: str, lines: Sequence[str]) -> list[list[Span]]:
    """Return each line's coloured spans; none for a language without a lexer."""
    lexer = _lexer(PurePosixPath(path).name)
    spans: list[list[Span]] = [[] for _ in lines]
    if lexer is None:
        return spans
    row = column = 0
    for token, text in lexer.get_tokens("\n".join(lines)):
        role = _role(str(token))
        for number, part in enumerate(text.split("\n")):
            if number:
                row, column = row + 1, 0
            if row >= len(lines):
                return spans
            if part and role:
                spans[row].append((column, column + len(part), role))
            column += len(part)
    return spans


@lru_cache(maxsize=64)
def _lexer(name: str) -> Lexer | None:
    from pygments.lexers import get_lexer_for_filename  # pyright: ignore[reportUnknownVariableType] untyped
    from pygments.util import ClassNotFound

    try:
        return get_lexer_for_filename(name, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


_ROLES = (
    ("Token.Keyword", "keyword"),
    ("Token.Operator.Word", "keyword"),
    ("Token.Literal.String", "string"),
    ("Token.Literal.Number", "number"),
    ("Token.Comment", "comment"),
    ("Token.Name.Function", "name"),
    ("Token.Name.Class", "name"),
    ("Token.Name.Decorator", "name"),
    ("Token.Name.Tag", "keyword"),
    ("Token.Generic.Heading", "keyword"),
    ("Token.Generic.Subheading", "keyword"),
)


@lru_cache(maxsize=512)
def _role(token: str) -> str:
    return next((role for prefix, role in _ROLES if token.startswith(prefix)), "")
