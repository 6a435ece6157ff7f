"""Types by mypy."""

from __future__ import annotations

import msgspec

from studio.checks.base import CheckContext, counted, inside, not_run, verdict
from studio.checks.tree import TreeView
from studio.domain.checks import CheckResult, Finding, Level
from studio.domain.sandbox import Limits
from studio.domain.value import Value

__all__ = ["TypesCheck"]

_SUFFIXES = (".py", ".pyi")
_FATAL = 2
_DEFAULTS = (
    "--config-file=",
    "--ignore-missing-imports",
    "--namespace-packages",
    "--explicit-package-bases",
)


class _Line(Value, frozen=True):
    """A line of `mypy --output=json`."""

    file: str
    line: int
    message: str
    column: int = 0
    code: str | None = None
    severity: str = "error"


class TypesCheck:
    """`mypy` over the touched files; errors in files they import are not theirs and not reported.

    The repository's configuration is honoured, its plugins too: they run inside the sandbox. Without one, mypy's
    defaults hold (unannotated functions are not checked) and libraries without stubs are taken as `Any`.
    """

    name = "types"
    fast = False

    def applies(self, view: TreeView, /) -> bool:
        """Return whether there is a touched Python file."""
        return bool(view.scoped(*_SUFFIXES))

    async def run(self, context: CheckContext) -> CheckResult:
        """Check the types of the touched files."""
        if not await context.has("mypy"):
            return not_run(self.name, context.job, "mypy is not in the sandbox")
        view = context.view
        own = (
            "mypy" in view.pyproject
            or view.has("mypy.ini")
            or view.has(".mypy.ini")
            or view.ini_has("setup.cfg", "mypy")
        )
        ran = await context.run(
            ("mypy", "--output=json", "--no-error-summary", "--follow-imports=silent", "--cache-dir=/dev/null")
            + (() if own else _DEFAULTS)
            + ("--", *view.targets(*_SUFFIXES)),
            limits=Limits(seconds=180.0),
            on_output=lambda _: None,
        )
        findings = _findings(ran.text)
        errors = sum(finding.level is Level.ERROR for finding in findings)
        if ran.result.exit_code >= _FATAL and not errors:
            text = ran.result.output.decode("utf-8", "replace").strip().splitlines()
            return not_run(self.name, context.job, f"mypy could not run: {text[-1][:200] if text else 'no output'}")
        return verdict(self.name, context.job, ran, findings, summary=counted(errors, "type error"))


def _findings(text: str) -> tuple[Finding, ...]:
    found: list[Finding] = []
    for line in text.splitlines():
        try:
            item = msgspec.json.decode(line, type=_Line)
        except msgspec.MsgspecError:
            continue
        level = Level.ERROR if item.severity == "error" else Level.NOTE
        at = max(item.line, 0)
        found.append(
            Finding(
                "types", item.code or "mypy", level, item.message, inside(item.file), at, at, max(item.column, 0) + 1
            )
        )
    return tuple(found)
