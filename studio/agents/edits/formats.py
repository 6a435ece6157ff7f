"""Reading a model's reply in the text protocol: edits in any of the formats, requests, directives, prose.

The reply is read line by line. Outside of blocks these count: fences, block markers (`<<<<<<< SEARCH`), unified diffs,
and directives (`DELETE path`, `RENAME old -> new`, `READ path`, `DONE`, `GIVE UP: reason`); all else is prose, which
becomes the summary. One thing that cannot be understood makes the reply as a whole a list of problems: nothing of it applies.
"""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from studio.agents.edits.blocks import BLOCK_OPEN, read_block
from studio.agents.edits.diffs import diff_starts, read_diff
from studio.agents.edits.headers import bare_name, fence_path, is_labelled, opening_fence, path_line
from studio.domain.edits import DeleteFile, Edit, RenameFile, WholeFile
from studio.domain.value import Value

__all__ = ["EditFormat", "ParsedReply", "ToolRequest", "parse_reply"]

MAX_REPLY_CHARS = 2_000_000
MAX_SUMMARY_CHARS = 1000

_DIRECTIVE = re.compile(r"^(DELETE|RENAME|READ|DONE|GIVE UP)(?:$|[ :]\s*(.*)$)")
_RENAME = re.compile(r"^(\S+|`[^`]+`)\s+(?:->|\u2192|=>|to)\s+(\S+|`[^`]+`)$")
_READ = re.compile(r"^(\S+|`[^`]+`)(?:[:\s]+(\d+)\s*[-\u2013]\s*(\d+))?$")


class EditFormat(StrEnum):
    """The format a model is told to write. Whatever is unmistakable is read in any of them."""

    BLOCKS = "blocks"
    """Search/replace blocks."""
    WHOLE = "whole"
    """Whole files; a fence below a bare path is a whole file too."""
    DIFF = "diff"
    """Unified diffs."""
    LINES = "lines"
    """Blocks anchored by line numbers."""


class ToolRequest(Value, frozen=True):
    """A tool asked for in text: a name and its arguments as JSON text."""

    name: str
    arguments: str


class ParsedReply(Value, frozen=True):
    """A reply, understood. With `problems`, nothing else of it counts."""

    edits: tuple[Edit, ...] = ()
    requests: tuple[ToolRequest, ...] = ()
    problems: tuple[str, ...] = ()
    """For the model: what is wrong, and what to write instead."""
    done: bool = False
    give_up: str = ""
    summary: str = ""


def parse_reply(text: str, form: EditFormat = EditFormat.BLOCKS) -> ParsedReply:
    """Read a reply of a model that was told to write `form`."""
    if len(text) > MAX_REPLY_CHARS:
        return ParsedReply(problems=(f"The reply is {len(text):,} characters long; send at most {MAX_REPLY_CHARS:,}.",))
    return _Reader(text, form).read()


class _Reader:
    """One pass over the lines of a reply."""

    def __init__(self, text: str, form: EditFormat) -> None:
        self.form = form
        self.lines = text.replace("\r\n", "\n").split("\n")
        self.at = 0
        self.edits: list[Edit] = []
        self.requests: list[ToolRequest] = []
        self.problems: list[str] = []
        self.prose: list[str] = []
        self.done = False
        self.give_up = ""
        self.path = ""
        """The path named last and not yet followed by prose: blocks below it belong to it."""
        self.labelled = form is EditFormat.WHOLE
        """Whether a fence below that path is the whole file."""
        self.above = ""
        """The last line of prose, while nothing but blank lines and a fence follow it."""

    def read(self) -> ParsedReply:
        while self.at < len(self.lines):
            self._one()
        summary = "\n".join(self.prose).strip()[:MAX_SUMMARY_CHARS]
        if self.problems:
            return ParsedReply(problems=tuple(self.problems), summary=summary)
        return ParsedReply(
            tuple(self.edits), tuple(self.requests), done=self.done, give_up=self.give_up, summary=summary
        )

    def _one(self) -> None:
        line = self.lines[self.at]
        if BLOCK_OPEN.match(line):
            self._block()
        elif fence := opening_fence(line):
            self._fence(*fence)
        elif diff_starts(self.lines, self.at):
            self._diff(len(self.lines))
        elif directive := _DIRECTIVE.match(line.rstrip()):
            self._directive(directive.group(1), (directive.group(2) or "").strip(), line)
            self.at += 1
        else:
            self._prose(line)
            self.at += 1

    def _prose(self, line: str) -> None:
        if line.strip():
            self.path = path_line(line)
            self.labelled = self.form is EditFormat.WHOLE or is_labelled(line)
            self.above = line
            if not self.path:
                self.prose.append(line)

    def _block(self) -> None:
        block = read_block(self.lines, self.at, self.path or bare_name(self.above))
        self.above = ""
        self.at = block.end
        self.path = block.path or self.path
        self.edits.extend(block.edits)
        if block.problem:
            self.problems.append(block.problem)

    def _diff(self, limit: int) -> None:
        diff = read_diff(self.lines, self.at, limit)
        self.at = diff.end
        self.edits.extend(diff.edits)
        if diff.problem:
            self.problems.append(diff.problem)

    def _fence(self, fence: str, info: str) -> None:
        body = self.at + 1
        named = fence_path(info)
        first = next((n for n in range(body, len(self.lines)) if self.lines[n].strip()), len(self.lines))
        shown = self.lines[first] if first < len(self.lines) else ""
        inner = path_line(shown) or bare_name(shown)
        if BLOCK_OPEN.match(shown) or (
            inner and first + 1 < len(self.lines) and BLOCK_OPEN.match(self.lines[first + 1])
        ):
            self.path = named or self.path
            self.at = body
            self._blocks_in(fence)
            return
        close = self._closing(fence, body, nested_is_odd=bool(named or self.path))
        if close is None:
            return
        kind = info.split(maxsplit=1)[0].lower() if info.split() else ""
        if kind in {"diff", "patch", "udiff"} or (first < close and diff_starts(self.lines, first)):
            self._diffs_in(first, close)
        elif kind == "tool":
            self._tools("\n".join(self.lines[body:close]))
        elif named or (self.path and self.labelled):
            content = self.lines[body:close]
            self.edits.append(WholeFile(named or self.path, "".join(f"{line}\n" for line in content)))
        elif self.path:
            self._problem(
                self.at,
                f"it is not said whether the fence below {self.path} is the whole file; fence a whole file by "
                f"```LANGUAGE path={self.path}, and write anything less as the format says",
            )
        self.path = self.above = ""
        self.at = close + 1

    def _blocks_in(self, fence: str) -> None:
        """Read edit blocks up to the fence's end; they inherit the path from one another."""
        opened = self.at
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if BLOCK_OPEN.match(line):
                self._block()
            elif _closes(line, fence):
                self.at += 1
                return
            elif path := path_line(line) or bare_name(line):
                self.path = path
                self.at += 1
            elif line.strip():
                self._problem(self.at, f"between edit blocks stands {line.strip()[:60]!r}; only a path may stand there")
                self.at += 1
            else:
                self.at += 1
        self._problem(opened, "the fence around the edit blocks is never closed: the reply looks cut off")

    def _closing(self, fence: str, body: int, *, nested_is_odd: bool) -> int | None:
        for number in range(body, len(self.lines)):
            line = self.lines[number]
            if _closes(line, fence):
                return number
            inner = opening_fence(line) if nested_is_odd else None
            if inner and inner[0][0] == fence[0] and len(inner[0]) >= len(fence):
                self._problem(
                    number,
                    f"a fence {inner[0]} stands inside a file fenced by {fence}; fence the file by more backticks",
                )
                self.at = len(self.lines)
                return None
        self._problem(
            body - 1, f"the fence {fence} is never closed: the reply looks cut off, or a file holds fences itself"
        )
        self.at = len(self.lines)
        return None

    def _diffs_in(self, first: int, close: int) -> None:
        self.at = first
        while self.at < close:
            if diff_starts(self.lines, self.at):
                self._diff(close)
            elif self.path and self.lines[self.at].startswith("@@"):
                diff = read_diff(self.lines, self.at, close, self.path)
                self.at = diff.end
                self.edits.extend(diff.edits)
                self.problems.extend([diff.problem] if diff.problem else [])
            elif self.lines[self.at].strip():
                self._problem(self.at, "a diff begins with the lines `--- a/PATH` and `+++ b/PATH`, then `@@ … @@`")
                self.at = close
            else:
                self.at += 1

    def _tools(self, body: str) -> None:
        rest = [body] if body.lstrip().startswith("{") and _is_json(body) else body.splitlines()
        for piece in rest:
            if not piece.strip():
                continue
            try:
                loaded: dict[str, object] = msgspec.json.decode(piece, type=dict[str, object])
            except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
                self._problem(
                    self.at,
                    f'a tool fence holds one JSON object a line, such as {{"tool": "read", "path": "a.py"}} ({error})',
                )
                continue
            name = str(loaded.pop("tool", loaded.pop("name", "")))
            arguments = loaded.get("arguments", loaded)
            self.requests.append(ToolRequest(name, msgspec.json.encode(arguments).decode()))

    def _directive(self, name: str, rest: str, line: str) -> None:
        if name == "DONE":
            self.done = True
            self.prose.append(rest)
        elif name == "GIVE UP":
            self.give_up = rest or "no reason given"
        elif name == "DELETE":
            self._path_directive(name, rest, line)
        elif name == "RENAME":
            match = _RENAME.match(rest)
            if match:
                self.edits.append(RenameFile(_bare(match.group(1)), _bare(match.group(2))))
            else:
                self._problem(self.at, f"{line.strip()[:80]!r} is not understood; write `RENAME old/path -> new/path`")
        else:
            self._read_directive(rest, line)

    def _path_directive(self, name: str, rest: str, line: str) -> None:
        path = _bare(rest)
        if not path or (" " in path and not rest.startswith("`")):
            self._problem(self.at, f"{line.strip()[:80]!r} names no file; write `{name} path/of/file`")
        else:
            self.edits.append(DeleteFile(path))

    def _read_directive(self, rest: str, line: str) -> None:
        match = _READ.match(rest)
        if not match:
            self.prose.append(line)
            return
        arguments: dict[str, object] = {"path": _bare(match.group(1))}
        if match.group(2):
            arguments |= {"start": int(match.group(2)), "end": int(match.group(3))}
        self.requests.append(ToolRequest("read", msgspec.json.encode(arguments).decode()))

    def _problem(self, number: int, what: str) -> None:
        self.problems.append(f"Line {number + 1} of your reply: {what}.")


def _closes(line: str, fence: str) -> bool:
    bare = line.strip()
    return bare.startswith(fence) and not bare.strip(fence[0])


def _bare(path: str) -> str:
    return path.strip().strip("`")


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return False
    return True
