"""Which landing wrote a line: git's own blame over a history made of landing records.

The records (path, blobs, line digests) are all it needs, so the answer survives staging, amending, rebasing and squashing. Each
landing gives two commits, the content it found and the content it left; the working file is the last one, a merge of them.
Blame names the commit a line came with: what a landing left is its own, all else a person's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from studio.domain.changes import LandedFile, Landing
from studio.domain.ids import LandingId
from studio.ports.workspace import LineOrigin
from studio.workspace.diff import file_hunks
from studio.workspace.intent import Intents
from studio.workspace.lines import encoding_of, split_lines
from studio.workspace.orders import line_digest
from studio.workspace.store import Store

__all__ = ["origin"]

_PARENTS = 12
"""How many earlier landings a content is compared with: landings in different parts of a repository do not follow each other."""
_REGULAR = frozenset({"100644", "100755"})


def origin(
    store: Store, intents: Intents, path: str, line: int, content: bytes, landings: Sequence[Landing]
) -> LineOrigin | None:
    """Return which landing wrote a line of a file, None for a person's own.

    Args:
        store: ours.
        intents: the landing records.
        path: of the file.
        line: 1-based.
        content: of the file now, as git would store it.
        landings: oldest first.

    """
    lines = split_lines(content)
    touching = [landing for landing in landings if any(file.path == path for file in landing.files)] or list(landings)
    if not touching or not 0 < line <= len(lines):
        return None
    history = _history(store, touching, path, store.put_blobs([content])[0])
    output = store.git.text("blame", "--porcelain", "-M", "-L", f"{line},{line}", history[-1][0], "--", path)
    header = output.split("\n", 1)[0].split(" ")
    landing = dict(history).get(header[0])
    if landing is None:
        return None
    source = _source(landing, {item.id: item for item in landings})
    if source is None:
        return None
    found = re.search(r"^filename (.*)$", output, re.MULTILINE)
    name = found[1] if found else path
    text = lines[line - 1].rstrip(b"\r\n").decode(encoding_of(content))
    written = next((file for file in landing.files if file.path == name), None)
    hunk = "" if written is None else _hunk(store, intents, source, written, int(header[1]), text)
    return LineOrigin(source.id, source.run, hunk, text)


def _source(landing: Landing, by_id: Mapping[LandingId, Landing]) -> Landing | None:
    """Follow undos: what an undo writes was there before, what the undo of an undo writes is the landing's again."""
    undone = False
    while landing.undoes:
        known = by_id.get(landing.undoes)
        if known is None:
            return None
        landing, undone = known, not undone
    return None if undone else landing


def _history(store: Store, landings: Sequence[Landing], path: str, blob: str) -> list[tuple[str, Landing | None]]:
    """Make the history in one process and return its commits, each with the landing that left it."""
    trees: list[tuple[dict[str, str], Landing | None]] = []
    known: dict[str, str] = {}
    for landing in landings:
        for side in (None, landing):
            for file in landing.files:
                mode, content = (
                    (file.before_mode, file.before_blob) if side is None else (file.after_mode, file.after_blob)
                )
                known.pop(file.path, None)
                if content and mode in _REGULAR:
                    known[file.path] = content
            trees.append((dict(known), side))
    trees.append(({**known, path: blob} if path in known else {path: blob}, None))
    with store.scratch() as directory:
        marks, ref = directory / "marks", f"refs/studio/why/{directory.name}"
        data = "\n".join(_stream(trees, ref)).encode("utf-8", "surrogateescape")
        store.git.run("fast-import", "--quiet", "--done", "--force", f"--export-marks={marks}", data=data)
        store.git.run("update-ref", "-d", ref)
        pairs = (line.split(" ") for line in marks.read_text(encoding="ascii").splitlines())
        commits = {int(mark.removeprefix(":")): commit for mark, commit in pairs}
    return [(commits[number], side) for number, (_, side) in enumerate(trees, 1)]


def _stream(trees: Sequence[tuple[Mapping[str, str], Landing | None]], ref: str) -> list[str]:
    """Return the commands that make git import the history."""
    stream: list[str] = []
    for number, (files, side) in enumerate(trees, 1):
        # A landing follows what it found; what it found, and the working file, may come from any landing before.
        parents = [number - 1] if side is not None else list(range(number - 1, 1, -2))[:_PARENTS]
        stream += [f"commit {ref}", f"mark :{number}", "committer s <s> 0 +0000", "data 0", ""]
        stream += [f"{'merge' if place else 'from'} :{parent}" for place, parent in enumerate(parents)]
        stream += ["deleteall", *(f"M 100644 {content} {_quoted(name)}" for name, content in files.items())]
    return [*stream, "done", ""]


def _quoted(path: str) -> str:
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _hunk(store: Store, intents: Intents, landing: Landing, file: LandedFile, number: int, text: str) -> str:
    """Return the hunk that added line `number` of what the landing left: by digest, and by order among equal lines."""
    intent = intents.load(landing.id)
    digest = line_digest(text)
    records = intent.lines if intent is not None else {}
    holders = [hunk for hunk in file.hunks for line in records.get(hunk, ()) if line == digest]
    if len(set(holders)) == 1 or (not holders and len(file.hunks) == 1):
        return holders[0] if holders else file.hunks[0]
    if not holders:
        return ""
    content = split_lines(store.blobs([file.after_blob])[file.after_blob])
    added = range(1, len(content) + 1)
    if file.before_blob:
        patch = store.git.run("diff", "--no-color", "--no-ext-diff", "-U0", file.before_blob, file.after_blob)
        added = [n for hunk in file_hunks(patch) for n in range(hunk.new_start, hunk.new_start + hunk.new_count)]
    wanted = content[number - 1]
    rank = sum(1 for n in added if n < number and content[n - 1] == wanted)
    return holders[min(rank, len(holders) - 1)]
