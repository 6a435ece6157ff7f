"""The diff: files, hunks, lines, with decisions, remarks and how each change was matched."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType

from widgets.ansi import clean, visible
from widgets.diff_data import (
    DiffFile,
    DiffHunk,
    DiffMark,
    DiffRemark,
    Place,
    RowIndex,
    RowKind,
    index_rows,
    line_numbers,
    remark_lines,
)
from widgets.lines import MAX_CELLS, LineView, fit
from widgets.syntax import Span, highlight

__all__ = ["MARK_GLYPHS", "DiffView"]

MARK_GLYPHS = {"undecided": "○", "accepted": "✓", "rejected": "✗", "edited": "✎", "partial": "◐"}
GUTTER = 14
_PENDING = DiffMark()


class DiffView(LineView):
    """A unified diff of any size.

    | Key | Does |
    |---|---|
    | ], n · [, p | next, previous hunk |
    | }, { | next, previous file |
    | v | begin or end selecting lines of a hunk |
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_square_bracket,n", "hunk(1)", "Next hunk", show=False, id="diff.next_hunk"),
        Binding("left_square_bracket,p", "hunk(-1)", "Previous hunk", show=False, id="diff.previous_hunk"),
        Binding("right_curly_bracket", "file(1)", "Next file", show=False, id="diff.next_file"),
        Binding("left_curly_bracket", "file(-1)", "Previous file", show=False, id="diff.previous_file"),
        Binding("v", "select", "Select lines", show=False, id="diff.select"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"diff--{mark}" for mark in MARK_GLYPHS),
        *(f"diff--{role}" for role in ("keyword", "string", "number", "comment", "name")),
        *("diff--file", "diff--hunk", "diff--gutter", "diff--added", "diff--removed", "diff--sign-added"),
        *("diff--sign-removed", "diff--remark", "diff--warning", "diff--loose", "diff--exact", "diff--selected"),
    }
    DEFAULT_CSS = """
    DiffView {
        & .diff--file { background: $raised; text-style: bold; }
        & .diff--hunk { color: $ink-soft; }
        & .diff--gutter { color: $ink-faint; }
        & .diff--added { background: $added-ground; }
        & .diff--removed { background: $removed-ground; }
        & .diff--sign-added { color: $added; text-style: bold; }
        & .diff--sign-removed { color: $removed; text-style: bold; }
        & .diff--undecided { color: $undecided; }
        & .diff--accepted { color: $accepted; }
        & .diff--rejected { color: $rejected; }
        & .diff--edited { color: $edited; }
        & .diff--partial { color: $changed; }
        & .diff--remark { color: $remark; background: $remark-ground; }
        & .diff--warning { color: $warning-ink; background: $remark-ground; }
        & .diff--exact { color: $match-exact; }
        & .diff--loose { color: $match-loose; text-style: bold; }
        & .diff--selected { background: $selection; }
        & .diff--keyword { color: $syntax-keyword; }
        & .diff--string { color: $syntax-string; }
        & .diff--number { color: $syntax-number; }
        & .diff--comment { color: $syntax-comment; }
        & .diff--name { color: $syntax-name; }
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None, empty: str = "") -> None:  # noqa: A002
        super().__init__(id=id, classes=classes, empty=empty)
        self._files: tuple[DiffFile, ...] = ()
        self._marks: dict[str, DiffMark] = {}
        self._remarks: dict[str, tuple[DiffRemark, ...]] = {}
        self._index = RowIndex()
        self._remark_width = 0
        self._anchor = -1
        self._numbers: dict[str, list[tuple[str, str]]] = {}
        self._colours: dict[str, list[list[Span]]] = {}
        self._uncoloured: dict[str, tuple[str, DiffHunk]] = {}

    # Data in.

    def set_files(self, files: tuple[DiffFile, ...], remarks: dict[str, tuple[DiffRemark, ...]] | None = None) -> None:
        """Show the files. The cursor stays on its hunk if it is still there."""
        held = self.hunk
        self._files, self._remarks = files, remarks or {}
        self._reindex()
        self._anchor = -1
        self._colours.clear()
        self._numbers.clear()
        self.allow_width(GUTTER + self._index.longest + 2)
        self.paint()
        if held is None or not self.go_to_hunk(held.key):
            self.go(self._index.hunk_rows[0] if self._index.hunk_rows else 0)

    def _reindex(self) -> None:
        self._remark_width = self.room - GUTTER - 1
        self._index = index_rows(self._files, self._remarks, self._remark_width)

    def on_resize(self) -> None:
        """Wrap remarks anew."""
        if self._remarks and self._remark_width != self.room - GUTTER - 1:
            held, self._anchor = self.place, -1
            self._reindex()
            self.place_cursor(self._index.rows.index(held) if held in self._index.rows else self.cursor)
            self.paint()

    def set_marks(self, marks: dict[str, DiffMark]) -> None:
        """Show the decisions."""
        if marks != self._marks:
            self._marks = marks
            self.changed()

    # What is under the cursor.

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self._index.rows)

    @property
    def place(self) -> Place | None:
        """The cursor's row."""
        return self._index.rows[self.cursor] if 0 <= self.cursor < self.count else None

    @property
    def file(self) -> DiffFile | None:
        """The cursor's file."""
        place = self.place
        return self._files[place.file] if place else None

    @property
    def hunk(self) -> DiffHunk | None:
        """The cursor's hunk; on a file's row, none."""
        place = self.place
        return self._files[place.file].hunks[place.hunk] if place and place.hunk >= 0 else None

    @property
    def selected(self) -> tuple[int, ...]:
        """Line indices of the selection in the cursor's hunk; empty when nothing is selected."""
        place = self.place
        if self._anchor < 0 or place is None:
            return ()
        low, high = sorted((self._anchor, self.cursor))
        rows = self._index.rows[low : high + 1]
        return tuple(
            row.line for row in rows if row.kind is RowKind.LINE and (row.file, row.hunk) == (place.file, place.hunk)
        )

    def mark(self, key: str) -> DiffMark:
        """Return the decision on a hunk."""
        return self._marks.get(key, _PENDING)

    def go_to_hunk(self, key: str) -> bool:
        """Move to a hunk."""
        for row in self._index.hunk_rows:
            place = self._index.rows[row]
            if self._files[place.file].hunks[place.hunk].key == key:
                self.go(row)
                return True
        return False

    def go_to_line(self, path: str, line: int) -> bool:
        """Move to the row that shows line `line` of the file's new side, else to the nearest hunk of the file."""
        best = -1
        for row in self._index.hunk_rows:
            place = self._index.rows[row]
            file = self._files[place.file]
            if file.path != path:
                continue
            hunk = file.hunks[place.hunk]
            if best < 0 or hunk.new_start <= line:
                best = row
            if hunk.new_start <= line < hunk.new_start + max(1, hunk.new_count):
                best = self._row_of(row, hunk, line)
                break
        if best >= 0:
            self.go(best)
        return best >= 0

    def clear_selection(self) -> None:
        """Select nothing."""
        self._anchor = -1
        self.refresh()

    # Rendering.

    def fill(self, index: int) -> Style:
        """Return the ground of a whole row."""
        place = self._index.rows[index]
        if place.kind is RowKind.FILE:
            return self.tone("diff--file")
        if place.kind is RowKind.REMARK:
            return self.tone("diff--remark")
        if place.kind is RowKind.LINE:
            if index != self.cursor and self._anchor >= 0 and self._in_selection(index):
                return self.tone("diff--selected")
            return self._ground(self._files[place.file].hunks[place.hunk].lines[place.line].op)
        return Style()

    def segments(self, index: int) -> list[Segment]:
        """Return a row's line."""
        place = self._index.rows[index]
        file = self._files[place.file]
        if place.kind is RowKind.FILE:
            return self._file_row(file)
        hunk = file.hunks[place.hunk]
        if place.kind is RowKind.HUNK:
            return self._hunk_row(hunk)
        if place.kind is RowKind.LINE:
            return self._line_row(file, hunk, place.line, self.fill(index))
        if place.kind is RowKind.NOTE:
            return [Segment(" " * GUTTER), Segment(clean(hunk.note), self.tone("line--soft"))]
        remark = self._remarks[hunk.key][place.remark]
        style = self.tone("diff--remark" if remark.severity == "note" else "diff--warning")
        glyph = {"warning": "!", "error": "✗"}.get(remark.severity, "“") if place.part == 0 else " "
        lines = remark_lines(remark, self._remark_width)
        return [Segment(f"{' ' * (GUTTER - 2)}{glyph} {lines[place.part] if place.part < len(lines) else ''}", style)]

    def _file_row(self, file: DiffFile) -> list[Segment]:
        ground = self.tone("diff--file")
        states = [self._state(hunk) for hunk in file.hunks]
        decided = sum(state != "undecided" for state in states)
        one = states[0] if len(set(states)) == 1 else "partial" if decided else "undecided"
        name = clean(file.path) if not file.old_path else f"{clean(file.old_path)} → {clean(file.path)}"
        right = f"{decided}/{len(states)} decided "
        left = fit(name, max(10, self.room - len(right) - 26))
        counts = [(f"+{file.added}", "diff--sign-added"), (f" -{file.removed}", "diff--sign-removed")]
        used = 3 + cell_len(left) + 2 + len(file.kind) + 2 + sum(len(text) for text, _ in counts)
        return [
            Segment(f" {MARK_GLYPHS[one]} ", ground + self.tone(f"diff--{one}")),
            Segment(f"{left}  ", ground),
            Segment(f"{file.kind}  ", ground + self.tone("line--soft") + Style(bold=False)),
            *(Segment(text, ground + self.tone(name)) for text, name in counts),
            Segment(" " * max(2, self.room - used - len(right)), ground),
            Segment(right, ground + self.tone("line--soft") + Style(bold=False)),
        ]

    def _hunk_row(self, hunk: DiffHunk) -> list[Segment]:
        state = self._state(hunk)
        mark = self.mark(hunk.key)
        who = f" by {clean(mark.by, 30)}" if mark.by else ""
        said = f" “{clean(mark.comment, 60)}”" if mark.comment else ""
        span = f"@@ -{hunk.old_start},{hunk.old_count} +{hunk.new_start},{hunk.new_count}"
        return [
            Segment(f"  {MARK_GLYPHS[state]} ", self.tone(f"diff--{state}")),
            Segment(f"{span}  ", self.tone("diff--hunk")),
            Segment(f"{state}{who}{said}  ", self.tone(f"diff--{state}")),
            Segment(
                f"{'≈ ' if hunk.loose else ''}{hunk.match}  ", self.tone(f"diff--{'loose' if hunk.loose else 'exact'}")
            ),
            Segment(clean(hunk.origin), self.tone("diff--hunk")),
        ]

    def _line_row(self, file: DiffFile, hunk: DiffHunk, at: int, ground: Style) -> list[Segment]:
        line = hunk.lines[at]
        if hunk.key not in self._numbers:
            self._numbers[hunk.key] = line_numbers(hunk)
        old, new = self._numbers[hunk.key][at]
        number = self.tone("diff--gutter")
        state = self._line_state(hunk, at)
        sign = {"+": "diff--sign-added", "-": "diff--sign-removed"}.get(line.op)
        row = [
            Segment(
                f" {MARK_GLYPHS[state] if state else ' '} ",
                ground + (self.tone(f"diff--{state}") if state else Style()),
            ),
            Segment(f"{old:>4} {new:>4} ", ground + number),
            Segment(f"{line.op}", ground + (self.tone(sign) if sign else Style())),
        ]
        row.extend(self._code(file, hunk, at, ground))
        if not line.newline:
            row.append(Segment("  ⏎ no newline at end of file", ground + self.tone("line--soft")))
        return row

    def _code(self, file: DiffFile, hunk: DiffHunk, at: int, ground: Style) -> list[Segment]:
        raw = hunk.lines[at].text
        if len(raw) > MAX_CELLS:
            raw = f"{raw[: MAX_CELLS - 40]} … {len(raw) - MAX_CELLS + 40} more"
        spans = self._spans(file, hunk, at)
        parts: list[Segment] = []
        done = 0
        for start, end, role in spans:
            if end > len(raw):
                break
            if start > done:
                parts.append(Segment(visible(raw[done:start]), ground))
            parts.append(Segment(visible(raw[start:end]), ground + self.tone(f"diff--{role}")))
            done = end
        parts.append(Segment(visible(raw[done:]), ground))
        return parts

    def _spans(self, file: DiffFile, hunk: DiffHunk, at: int) -> list[Span]:
        colours = self._colours.get(hunk.key)
        if colours is not None:
            return colours[at]
        if not self._uncoloured:
            self.set_timer(0.03, self._colour)
        self._uncoloured[hunk.key] = (file.path, hunk)
        return []

    def _colour(self) -> None:
        """Colour the hunks that were seen without colours."""
        for key, (path, hunk) in self._uncoloured.items():
            spans: list[list[Span]] = [[] for _ in hunk.lines]
            if sum(len(line.text) for line in hunk.lines) < 200_000:  # noqa: PLR2004 - code points; more would be felt
                for skip in "-+":
                    rows = [at for at, line in enumerate(hunk.lines) if line.op != skip]
                    for at, found in zip(rows, highlight(path, [hunk.lines[at].text for at in rows]), strict=True):
                        spans[at] = found
            self._colours[key] = spans
        self._uncoloured = {}
        self.refresh()

    # Details.

    def _state(self, hunk: DiffHunk) -> str:
        mark = self.mark(hunk.key)
        return "partial" if mark.state == "accepted" and mark.lines is not None else mark.state

    def _line_state(self, hunk: DiffHunk, at: int) -> str:
        mark = self.mark(hunk.key)
        if hunk.lines[at].op == " " or mark.state == "undecided":
            return ""
        if mark.state == "accepted" and mark.lines is not None:
            return "accepted" if at in mark.lines else "rejected"
        return mark.state

    def _ground(self, op: str) -> Style:
        return self.tone("diff--added") if op == "+" else self.tone("diff--removed") if op == "-" else Style()

    def _in_selection(self, index: int) -> bool:
        low, high = sorted((self._anchor, self.cursor))
        place, here = self._index.rows[index], self.place
        return low <= index <= high and here is not None and (place.file, place.hunk) == (here.file, here.hunk)

    def _row_of(self, row: int, hunk: DiffHunk, line: int) -> int:
        numbers = line_numbers(hunk)
        for at in range(row + 1, self.count):
            place = self._index.rows[at]
            if place.kind in {RowKind.HUNK, RowKind.FILE}:
                break
            if place.kind is RowKind.LINE and numbers[place.line][1] == str(line):
                return at
        return row

    # Actions.

    def action_hunk(self, step: int) -> None:
        """Move to the next or previous hunk."""
        self._step(self._index.hunk_rows, step)

    def action_file(self, step: int) -> None:
        """Move to the next or previous file."""
        self._step(self._index.file_rows, step)

    def action_select(self) -> None:
        """Begin selecting lines, or end it."""
        place = self.place
        if self._anchor >= 0:
            self.clear_selection()
        elif place is not None and place.hunk >= 0:
            at = self.cursor
            while self._index.rows[at].kind in {RowKind.HUNK, RowKind.REMARK} and at + 1 < self.count:
                at += 1
            if self._index.rows[at].kind is RowKind.LINE:
                self.go(at)
                self._anchor = at
                self.refresh()

    @property
    def selecting(self) -> bool:
        """Whether lines are being selected."""
        return self._anchor >= 0

    def _step(self, rows: list[int], step: int) -> None:
        self._anchor = -1
        at = bisect_right(rows, self.cursor) if step > 0 else bisect_left(rows, self.cursor) - 1
        if 0 <= at < len(rows):
            self.go(rows[at])
            bottom = min(self.count - 1, rows[at] + self.size.height // 2)
            if bottom >= self.scroll_offset.y + self.size.height:
                self.scroll_to(y=max(0, rows[at] - 2), animate=False, force=True)
