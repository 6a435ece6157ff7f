"""Applying the edits of one reply: staged in memory, all or nothing, behind path policy and syntax gate."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from studio.agents.edits.changes import Refused, change
from studio.agents.edits.paths import EditPolicy
from studio.agents.edits.staging import Staging
from studio.agents.edits.text import encode_text
from studio.domain.edits import AppliedEdit, Edit, EditReport, RefusedEdit
from studio.domain.value import Value

__all__ = ["EditOutcome", "Read", "apply_edits"]

Read = Callable[[str], bytes | None]
"""Returns a file's bytes, None where there is no such file."""

MAX_EDITS = 500
MAX_FILE_BYTES = 4_000_000


class EditOutcome(Value, frozen=True):
    """The fate of a reply's edits. `files` is empty if any was refused."""

    report: EditReport
    files: dict[str, bytes | None] = {}
    """Bytes to write, by path; None deletes. Files whose bytes stay the same are not in it."""
    modes: dict[str, int] = {}
    """Permission bits of renamed files; others keep theirs, new ones get the default."""


def apply_edits(edits: Sequence[Edit], read: Read, policy: EditPolicy) -> EditOutcome:
    """Apply edits in order to the files `read` gives, each seeing what the ones before it did. Nothing is written."""
    if len(edits) > MAX_EDITS:
        return _refuse([RefusedEdit("", f"the reply has {len(edits)} edits; send at most {MAX_EDITS} at a time")])
    staging = Staging(read, policy)
    refused: list[RefusedEdit] = []
    for index, edit in enumerate(edits):
        try:
            change(staging, index, edit)
        except Refused as error:
            refused.append(RefusedEdit(edit.path, str(error), index))
    if refused:
        return _refuse(refused)
    return _gate(staging)


def _refuse(refused: Sequence[RefusedEdit]) -> EditOutcome:
    return EditOutcome(EditReport(refused=tuple(sorted(refused, key=lambda each: each.index))))


def _gate(staging: Staging) -> EditOutcome:
    """Encode what was staged and hold it to the syntax gate."""
    files: dict[str, bytes | None] = dict.fromkeys(staging.removed)
    modes: dict[str, int] = {}
    refused: list[RefusedEdit] = []
    applied: list[tuple[int, AppliedEdit]] = list(staging.notes)
    for path, draft in staging.drafts.items():
        if draft.text is None:
            continue
        applied.extend(draft.applied())
        data = draft.original if draft.unreadable else encode_text(draft.text, draft.file)
        if not isinstance(data, bytes):
            refused.append(RefusedEdit(path, data.reason if data else draft.unreadable, draft.last))
        elif len(data) > MAX_FILE_BYTES and len(data) > len(draft.original or b""):
            refused.append(
                RefusedEdit(path, f"the file would be {len(data):,} bytes; at most {MAX_FILE_BYTES:,}", draft.last)
            )
        elif data != draft.original or draft.source:
            files[path] = data
            if draft.source and draft.mode is not None:
                modes[path] = draft.mode
            if message := _syntax(staging.policy, path, draft.source or path, (draft.original, data)):
                refused.append(RefusedEdit(path, message, draft.last))
    if refused:
        return _refuse(refused)
    report = EditReport(applied=tuple(each for _, each in sorted(applied, key=lambda pair: pair[0])))
    return EditOutcome(report, files, modes)


def _syntax(policy: EditPolicy, path: str, source: str, change_of: tuple[bytes | None, bytes]) -> str:
    """Return why the new bytes do not pass: they do not parse, and the old ones did, or there were none."""
    before, after = change_of
    gate = policy.syntax
    if gate is None or gate.language(path) is None or before == after:
        return ""
    errors = gate.errors(path, after)
    if not errors or (before is not None and gate.errors(source, before)):
        return ""
    shown = after.decode("utf-8", "replace").split("\n")
    lines = [
        f"  line {error.start_line}: {error.message}: {shown[error.start_line - 1].strip()[:120] if 0 < error.start_line <= len(shown) else ''}"
        for error in errors[:5]
    ]
    return "\n".join(
        ["with this edit the file does not parse any more:", *lines, "send all edits of the reply again, corrected"]
    )
