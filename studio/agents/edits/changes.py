"""One edit on the staged tree: what each kind means, and when it is refused."""

from __future__ import annotations

from studio.agents.edits.drafts import Draft
from studio.agents.edits.elision import elided, find_placeholder, replace_around
from studio.agents.edits.ladder import find_all, find_place
from studio.agents.edits.places import Place, Refusal
from studio.agents.edits.render import render
from studio.agents.edits.staging import Refused, Staging
from studio.agents.edits.text import dominant_eol, split_lines, to_lines
from studio.domain.edits import (
    AppliedEdit,
    DeleteFile,
    Edit,
    LineEdit,
    MatchKind,
    PatchEdit,
    PatchHunk,
    RenameFile,
    SearchReplace,
    WholeFile,
)

__all__ = ["Refused", "change"]

_ALREADY = "already applied"
_NOTHING = "changes nothing"


def change(staging: Staging, index: int, edit: Edit) -> None:
    """Do one edit.

    Raises:
        Refused: it may not be done, or its place is not clear.

    """
    draft = staging.at(edit.path, index)
    match edit:
        case SearchReplace():
            _search_replace(staging, draft, index, edit)
        case WholeFile():
            _whole_file(staging, draft, index, edit)
        case PatchEdit():
            _patch(staging, draft, index, edit)
        case LineEdit():
            _lines(staging, draft, index, edit)
        case DeleteFile():
            _delete(staging, draft, index)
        case RenameFile():
            _rename(staging, draft, index, edit)


def _clean(path: str, texts: tuple[str, ...], current: str) -> None:
    """Refuse what no text file should be given."""
    for text in texts:
        if "\0" in text:
            raise Refused(f"{path}: the edit holds NUL bytes")
        if line := find_placeholder(text, current):
            raise Refused(
                f"{path}: {line!r} stands for code left out; nobody can put it back. Write the lines themselves, or use a "
                "smaller edit that does not reach them"
            )


def _search_replace(staging: Staging, draft: Draft, index: int, edit: SearchReplace) -> None:
    if not edit.search:
        _insert(staging, draft, index, edit)
        return
    text = staging.text_of(draft)
    _clean(draft.path, (edit.search, edit.replace), text)
    place = find_place(text, edit.search)
    new = render(text, place, edit.search, edit.replace) if isinstance(place, Place) else ""
    if isinstance(place, Refusal) and elided(edit.search) and not place.reason.startswith("the search text matches"):
        around = replace_around(text, edit.search, edit.replace)
        place, new = around if not isinstance(around, Refusal) else (around, "")
    if isinstance(place, Refusal):
        if _already(draft, index, text, edit.replace):
            return
        raise Refused(f"{draft.path}: {place.reason}")
    same = text[place.start : place.end] == new
    draft.write(index, (place.start, place.end), new, place.match, _NOTHING if same else "")


def _already(draft: Draft, index: int, text: str, replace: str) -> bool:
    """Whether the new lines stood in the file before the reply, at one place; then the edit is reported as such."""
    if not any(line.strip() for line in to_lines(replace)) or len(find_all(draft.file.text, replace)) != 1:
        return False
    places = [place for place in find_all(text, replace) if place.match is MatchKind.EXACT]
    if len(places) != 1:
        return False
    span = places[0].start, places[0].end
    draft.write(index, span, text[span[0] : span[1]], MatchKind.EXACT, _ALREADY)
    return True


def _insert(staging: Staging, draft: Draft, index: int, edit: SearchReplace) -> None:
    """Create a file, fill an empty one, or append."""
    _clean(draft.path, (edit.replace,), draft.text or "")
    if draft.text is None:
        staging.create(draft)
        draft.write(index, (0, 0), edit.replace, MatchKind.WHOLE_FILE)
        return
    text = staging.text_of(draft)
    if text.strip() and not edit.append:
        raise Refused(
            f"{draft.path}: the file exists and the search text is empty. Name the lines to replace; to add at its end, say so "
            "(APPEND), and to rewrite it, give the whole file"
        )
    lines = split_lines(text)
    eol = dominant_eol(lines)
    new = edit.replace.replace("\r\n", "\n").replace("\n", eol)
    joint = eol if text and not text.endswith("\n") else ""
    end = len(text)
    draft.write(index, (end, end), joint + new, MatchKind.EXACT)


def _whole_file(staging: Staging, draft: Draft, index: int, edit: WholeFile) -> None:
    _clean(draft.path, (edit.text,), draft.text or "")
    if draft.text is None:
        staging.create(draft)
        draft.write(index, (0, 0), edit.text, MatchKind.WHOLE_FILE)
        return
    text = staging.text_of(draft)
    lines = split_lines(text)
    if not edit.text or not lines:
        new = edit.text
    else:
        place = Place(0, len(text), MatchKind.WHOLE_FILE)
        old = "".join(f"{line.body}\n" for line in lines)
        new = render(text, place, old, edit.text)
        new = new if edit.text.endswith("\n") or not new.endswith("\n") else new.removesuffix("\n").removesuffix("\r")
        if edit.text.endswith("\n") and not new.endswith("\n"):
            new += dominant_eol(lines)
    draft.write(index, (0, len(text)), new, MatchKind.WHOLE_FILE, _NOTHING if new == text else "")


def _patch(staging: Staging, draft: Draft, index: int, edit: PatchEdit) -> None:
    added = all(line.startswith("+") for hunk in edit.hunks for line in hunk.lines)
    if draft.text is None and added and edit.hunks:
        new = "".join(f"{line[1:]}\n" for hunk in edit.hunks for line in hunk.lines)
        _clean(draft.path, (new,), "")
        staging.create(draft)
        draft.write(index, (0, 0), new, MatchKind.WHOLE_FILE)
        return
    before, marks = staging.text_of(draft), (len(draft.touched), len(draft.moves))
    for number, hunk in enumerate(edit.hunks, 1):
        try:
            _hunk(draft, index, hunk)
        except Refused as error:
            draft.text = before
            del draft.touched[marks[0] :], draft.moves[marks[1] :]
            raise Refused(f"{draft.path}, hunk {number} of {len(edit.hunks)}: {error}") from None


def _hunk(draft: Draft, index: int, hunk: PatchHunk) -> None:
    text = draft.text or ""
    search = "".join(f"{line[1:]}\n" for line in hunk.lines if line[:1] in " -")
    replace = "".join(f"{line[1:]}\n" for line in hunk.lines if line[:1] in " +")
    _clean(draft.path, (search, replace), text)
    if not search:
        _bare_hunk(draft, index, hunk, replace)
        return
    found = find_all(text, search)
    if len(found) > 1 and hunk.old_start:
        line = draft.now(hunk.old_start)
        found = [place for place in found if text.count("\n", 0, place.start) + 1 == line] or found
    place = found[0] if len(found) == 1 else find_place(text, search)
    if isinstance(place, Refusal):
        if _already(draft, index, text, replace):
            return
        raise Refused(place.reason)
    new = render(text, place, search, replace)
    same = new == text[place.start : place.end]
    draft.write(index, (place.start, place.end), new, place.match, _NOTHING if same else "")


def _bare_hunk(draft: Draft, index: int, hunk: PatchHunk, new: str) -> None:
    """Insert a hunk that has no line of the file in it: after the line its header names."""
    lines = split_lines(draft.text or "")
    at = draft.now(hunk.old_start) if hunk.old_start else 0
    if (at == 0 and lines) or at > len(lines):
        raise Refused("it has no line of the file in it and does not say where it goes; give a few lines of context")
    eol = dominant_eol(lines)
    offset = sum(len(line.whole) for line in lines[:at])
    joint = eol if at and not lines[at - 1].eol else ""
    draft.write(index, (offset, offset), joint + new.replace("\n", eol), MatchKind.LINES)


def _lines(staging: Staging, draft: Draft, index: int, edit: LineEdit) -> None:
    text = staging.text_of(draft)
    _clean(draft.path, (edit.replace,), text)
    lines = split_lines(text)
    size = edit.end - edit.start + 1
    start = draft.now(edit.start)
    if edit.start < 1 or size < 0 or start - 1 + size > len(lines):
        raise Refused(f"{draft.path}: there are no lines {edit.start}-{edit.end}; the file has {len(lines)} lines")
    there = lines[start - 1 : start - 1 + size]
    expected = to_lines(edit.expected)
    if [line.body.rstrip() for line in there] != [line.rstrip() for line in expected]:
        shown = "\n".join(f"  {start + n}: {line.body[:160]}" for n, line in enumerate(there[:12]))
        place = find_place(text, edit.expected) if expected else None
        hint = ""
        if isinstance(place, Place):
            hint = f"\nWhat you expected stands at line {text.count(chr(10), 0, place.start) + 1}"
        raise Refused(
            f"{draft.path}: lines {edit.start}-{edit.end} do not read as you expect; they read:\n{shown}{hint}"
        )
    begin = sum(len(line.whole) for line in lines[: start - 1])
    end = begin + sum(len(line.whole) for line in there)
    eol = dominant_eol(lines)
    if there:
        new = render(text, Place(begin, end, MatchKind.LINES), edit.expected, edit.replace)
    else:
        joint = eol if start > 1 and not lines[start - 2].eol else ""
        new = joint + edit.replace.replace("\r\n", "\n").replace("\n", eol)
    draft.write(index, (begin, end), new, MatchKind.LINES, _NOTHING if new == text[begin:end] else "")


def _delete(staging: Staging, draft: Draft, index: int) -> None:
    if draft.text is None and draft.path not in staging.removed:
        staging.text_of(draft)
    note = "" if draft.text is not None else _ALREADY
    staging.remove(draft)
    staging.notes.append((index, AppliedEdit(draft.path, MatchKind.WHOLE_FILE, note=note)))


def _rename(staging: Staging, draft: Draft, index: int, edit: RenameFile) -> None:
    if draft.text is None:
        staging.text_of(draft)
    target = staging.at(edit.to, index)
    if edit.to == edit.path:
        staging.notes.append((index, AppliedEdit(edit.to, MatchKind.WHOLE_FILE, note=_NOTHING)))
        return
    if target.text is not None:
        raise Refused(f"{edit.path}: {edit.to} exists already; delete it first if it is to be replaced")
    twin = edit.to.casefold() == edit.path.casefold()
    if not twin:
        staging.create(target)
    staging.move(draft, target)
    target.last = index
    staging.removed.discard(edit.to)
    staging.notes.append((index, AppliedEdit(edit.to, MatchKind.WHOLE_FILE, note=f"renamed from {edit.path}")))
