"""Git's own diff, read into hunks by the counts of its headers, so that no content can be taken for a header."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from studio.domain.changes import ChangeKind, ChangeSet, FileChange, Hunk, HunkLine, Provenance
from studio.domain.edits import MatchKind
from studio.domain.ids import HunkId, RunId, short_digest
from studio.ports.workspace import TouchedRange
from studio.workspace.git import Entry, parse_raw
from studio.workspace.lines import encoding_of
from studio.workspace.snapshot import is_text_name
from studio.workspace.store import Store

__all__ = ["DIFF", "change_set", "file_hunks"]

DIFF = (
    "-r",
    "-U3",
    "-M",
    "--no-rename-empty",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--full-index",
    "--no-abbrev",
)
_HEADER = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_REGULAR = frozenset({"100644", "100755", "000000"})
_LOOSENESS = {kind: place for place, kind in enumerate(MatchKind)}
_ABSENT = "000000"


@dataclass(frozen=True)
class RawHunk:
    """A hunk as bytes: (operation, line without its line feed, whether it has one)."""

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    lines: tuple[tuple[str, bytes, bool], ...]


def raw_hunks(patch: bytes) -> Iterator[list[RawHunk]]:
    """Give the hunks of each `diff --git` section of a patch, in order."""
    lines = patch.split(b"\n")
    place, end = 0, len(lines)
    section: list[RawHunk] | None = None
    while place < end:
        header = _HEADER.match(lines[place])
        if lines[place].startswith(b"diff --git "):
            if section is not None:
                yield section
            section = []
        elif header and section is not None:
            hunk, place = _read_hunk(lines, place + 1, header)
            section.append(hunk)
            continue
        place += 1
    if section is not None:
        yield section


def file_hunks(patch: bytes) -> list[RawHunk]:
    """Return the hunks of a patch of one file."""
    return [hunk for section in raw_hunks(patch) for hunk in section]


def _read_hunk(lines: list[bytes], place: int, header: re.Match[bytes]) -> tuple[RawHunk, int]:
    old_start, old_count, new_start, new_count = (1 if group is None else int(group) for group in header.groups())
    old, new = old_count, new_count
    found: list[tuple[str, bytes, bool]] = []
    while old or new or (place < len(lines) and lines[place].startswith(b"\\")):
        line = lines[place]
        place += 1
        if line.startswith(b"\\"):
            op, text, _ = found[-1]
            found[-1] = (op, text, False)
            continue
        op = line[:1].decode("ascii")
        old -= op != "+"
        new -= op != "-"
        found.append((op, line[1:], True))
    return RawHunk(old_start, old_count, new_start, new_count, tuple(found)), place


def change_set(store: Store, run: RunId, base: str, head: str, touched: Sequence[TouchedRange]) -> ChangeSet:
    """Return the change set between two commits or trees of the store."""
    base_tree, head_tree = store.tree_of(base), store.tree_of(head)
    entries = parse_raw(store.git.run("diff-tree", "-z", "--raw", *DIFF, base_tree, head_tree))
    sections = raw_hunks(store.git.run("diff-tree", "-p", *DIFF, base_tree, head_tree)) if entries else iter(())
    nothing: list[RawHunk] = []
    pairs: list[tuple[Entry, list[RawHunk]]] = []
    for entry in entries:
        hunks = next(sections, nothing)
        if entry.status == "T":  # a change of type is a deletion and an addition
            next(sections, nothing)
            hunks = nothing
        if is_text_name(entry.path) and is_text_name(entry.old_path):
            pairs.append((entry, hunks))
    contents = store.blobs(
        blob
        for entry, hunks in pairs
        if hunks
        for mode, blob in ((entry.old_mode, entry.old_blob), (entry.new_mode, entry.new_blob))
        if mode != _ABSENT and mode in _REGULAR
    )
    by_path: dict[str, list[TouchedRange]] = {}
    for item in touched:
        by_path.setdefault(item.path, []).append(item)
    files = tuple(_file_change(entry, hunks, contents, by_path) for entry, hunks in pairs)
    return ChangeSet(run, base, head, base_tree, head_tree, files)


def _file_change(
    entry: Entry,
    hunks: list[RawHunk],
    contents: Mapping[str, bytes],
    touched: Mapping[str, Sequence[TouchedRange]],
) -> FileChange:
    encoding = encoding_of(contents.get(entry.old_blob, b""), contents.get(entry.new_blob, b""))
    ranges = [*touched.get(entry.path, ()), *(touched.get(entry.old_path, ()) if entry.old_path != entry.path else ())]
    regular = {entry.old_mode, entry.new_mode} <= _REGULAR
    shown = hunks if regular else []
    found: list[Hunk] = []
    if whole := _whole(entry, textual=bool(shown)):
        found.append(_attributed(Hunk(_hunk_id(entry.path, whole, 0), entry.path, 0, 0, 0, 0, ()), ranges))
    seen: dict[str, int] = {}
    for raw in shown:
        lines = tuple(HunkLine(op, text.decode(encoding), newline) for op, text, newline in raw.lines)
        content = "\n".join(f"{line.op}{line.text}{'' if line.newline else chr(0)}" for line in lines if line.op != " ")
        ordinal = seen[content] = seen.get(content, -1) + 1
        numbers = (raw.old_start, raw.old_count, raw.new_start, raw.new_count)
        found.append(_attributed(Hunk(_hunk_id(entry.path, content, ordinal), entry.path, *numbers, lines), ranges))
    return FileChange(
        entry.path,
        _kind(entry, textual=bool(shown)),
        tuple(found),
        entry.old_path,
        "" if entry.old_mode == _ABSENT else entry.old_mode,
        "" if entry.new_mode == _ABSENT else entry.new_mode,
        "" if entry.old_mode == _ABSENT else entry.old_blob,
        "" if entry.new_mode == _ABSENT else entry.new_blob,
        encoding,
    )


def _hunk_id(path: str, content: str, ordinal: int) -> HunkId:
    return HunkId(short_digest("h", path, content, str(ordinal)))


def _whole(entry: Entry, *, textual: bool) -> str:
    """Return the content that names the change without text of a file, empty if it has none."""
    if entry.status == "R":
        return f"rename {entry.old_path} {entry.old_mode} {entry.new_mode}"
    if entry.old_mode != entry.new_mode and entry.status == "M":
        return f"mode {entry.old_mode} {entry.new_mode}" + ("" if textual else f" {entry.old_blob} {entry.new_blob}")
    return "" if textual else f"whole {entry.old_mode} {entry.old_blob} {entry.new_mode} {entry.new_blob}"


def _kind(entry: Entry, *, textual: bool) -> ChangeKind:
    simple = {"A": ChangeKind.ADDED, "D": ChangeKind.DELETED, "R": ChangeKind.RENAMED}
    empty = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    if entry.status == "R" or textual:
        return simple.get(entry.status, ChangeKind.MODIFIED)
    if not {entry.old_mode, entry.new_mode} <= _REGULAR:
        return ChangeKind.BINARY
    if entry.status in simple and empty in {entry.old_blob, entry.new_blob}:
        return simple[entry.status]
    return ChangeKind.MODE if entry.old_blob == entry.new_blob else ChangeKind.BINARY


def _attributed(hunk: Hunk, ranges: Sequence[TouchedRange]) -> Hunk:
    """Return the hunk with the loosest match and the joined provenance of the edits that wrote it."""
    writers = [item for item in ranges if _overlaps(hunk, item)]
    if not writers:
        return hunk
    last = writers[-1].provenance
    costs = {item.provenance.call: item.provenance.cost_usd for item in writers}
    provenance = Provenance(
        tuple(dict.fromkeys(name for item in writers for name in item.provenance.requirements)),
        last.task,
        last.role,
        last.model,
        last.call,
        sum(costs.values()),
        tuple(dict.fromkeys(name for item in writers for name in item.provenance.tests)),
    )
    match = max((item.match for item in writers), key=_LOOSENESS.__getitem__)
    return Hunk(
        hunk.id,
        hunk.path,
        hunk.old_start,
        hunk.old_count,
        hunk.new_start,
        hunk.new_count,
        hunk.lines,
        match,
        provenance,
    )


def _overlaps(hunk: Hunk, item: TouchedRange) -> bool:
    if not hunk.lines or not hunk.new_count:
        return True
    number = hunk.new_start
    for line in hunk.lines:
        if line.op == "+" and item.start <= number <= item.end:
            return True
        if line.op == "-" and item.start - 1 <= number <= item.end + 1:
            return True
        number += line.op != "-"
    return False
