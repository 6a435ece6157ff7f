"""The map as text: the best definitions of the best files, as many as a token budget takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from studio.context.extract import Definition, FileTags

__all__ = ["render", "tokens_of"]

CHARS_PER_TOKEN = 4.0


def tokens_of(text: str, factor: float = 1.0) -> int:
    """Estimate tokens: characters over four, within some percent for code; `factor` corrects for a tokenizer."""
    return int(len(text) / CHARS_PER_TOKEN * factor + 0.999)


def render(
    tags: Mapping[str, FileTags],
    others: Sequence[str],
    ranks: Mapping[str, float],
    shares: Mapping[tuple[str, str], float],
    tokens: int,
    factor: float = 1.0,
) -> str:
    """Return the map: each file with its chosen definitions in order, then files without any, while the budget lasts.

    A definition's place is its share of its name's rank plus a little of its file's, so that well-ranked files that
    nobody refers to by name are shown too. A line reads `  12 def f(x: int) -> int`, nested ones are indented.
    """
    left = int(tokens * CHARS_PER_TOKEN / factor)
    chosen: dict[str, list[Definition]] = {}
    candidates = sorted(
        (
            (
                -(shares.get((path, definition.name), 0.0) + 0.01 * ranks.get(path, 0.0)),
                path,
                definition.start,
                definition,
            )
            for path, file in tags.items()
            for definition in file.definitions
        ),
        key=lambda candidate: candidate[:3],
    )
    for _, path, _, definition in candidates:
        cost = len(definition.signature) + 12 + (0 if path in chosen else len(path) + 2)
        if cost > left:
            break
        chosen.setdefault(path, []).append(definition)
        left -= cost
    blocks = [
        "\n".join([f"{path}:", *_lines(chosen[path])]) for path in sorted(chosen, key=lambda p: -ranks.get(p, 0.0))
    ]
    rest: list[str] = []
    for path in sorted({*tags, *others} - set(chosen), key=lambda p: (-ranks.get(p, 0.0), p.count("/"), p)):
        if len(path) + 1 > left:
            break
        rest.append(path)
        left -= len(path) + 1
    return "\n".join([*blocks, *rest])


def _lines(definitions: list[Definition]) -> list[str]:
    lines: list[str] = []
    open_ends: list[int] = []
    for definition in sorted(definitions, key=lambda item: (item.start, -item.end)):
        while open_ends and open_ends[-1] < definition.start:
            open_ends.pop()
        depth = min(len(open_ends), 3)
        lines.append(f"{definition.start:5d} {'  ' * depth}{definition.signature}")
        open_ends.append(definition.end)
    return lines
