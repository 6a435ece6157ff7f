"""Format and lint by ruff."""

from __future__ import annotations

import msgspec

from studio.checks.base import CheckContext, counted, not_run, verdict
from studio.checks.sarif import from_sarif
from studio.checks.tree import TreeView
from studio.domain.checks import CheckResult, Level

__all__ = ["FormatCheck", "LintCheck"]

_SUFFIXES = (".py", ".pyi")
_USAGE_ERROR = 2
_FORMAT = ("ruff", "format", "--check", "--no-cache", "--quiet", "--output-format=sarif")
_CHECK = ("ruff", "check", "--no-cache", "--quiet", "--output-format=sarif")

DEFAULT_RULES = "E7,E9,F,B"
"""Without a configuration: what is wrong, not what is a matter of taste."""
DEFAULT_IGNORED = "E731,E741,B008,B904,B905,B028"


def has_ruff_config(view: TreeView) -> bool:
    """Return whether the repository configures ruff. Inside the sandbox no configuration beyond the tree can be read."""
    return "ruff" in view.pyproject or view.has("ruff.toml") or view.has(".ruff.toml")


class LintCheck:
    """`ruff check`: the repository's own rules, else a small set that fails on defects alone."""

    name = "lint"
    fast = True

    def applies(self, view: TreeView, /) -> bool:
        """Return whether there is a touched Python file."""
        return bool(view.scoped(*_SUFFIXES))

    async def run(self, context: CheckContext) -> CheckResult:
        """Lint the touched files."""
        if not await context.has("ruff"):
            return not_run(self.name, context.job, "ruff is not in the sandbox")
        chosen = ("--isolated", "--select", DEFAULT_RULES, "--ignore", DEFAULT_IGNORED)
        options = ("--force-exclude",) if has_ruff_config(context.view) else chosen
        ran = await context.run(
            (*_CHECK, *options, "--", *context.view.targets(*_SUFFIXES)),
            on_output=_drop,
        )
        if ran.result.exit_code >= _USAGE_ERROR:
            return not_run(self.name, context.job, f"ruff could not run: {_last_line(ran.result.output)}")
        findings = from_sarif(ran.text, self.name)
        return verdict(self.name, context.job, ran, findings, summary=counted(len(findings), "finding"))


class FormatCheck:
    """`ruff format --check`: fails where the repository configures a formatter, and is a note elsewhere.

    The command of the second case tolerates exit code 1 (would be reformatted), so that the verdict stays the command's.
    """

    name = "format"
    fast = True

    def applies(self, view: TreeView, /) -> bool:
        """Return whether there is a touched Python file."""
        return bool(view.scoped(*_SUFFIXES))

    async def run(self, context: CheckContext) -> CheckResult:
        """Compare the touched files with what the formatter would write."""
        if not await context.has("ruff"):
            return not_run(self.name, context.job, "ruff is not in the sandbox")
        view = context.view
        black = view.pyproject.get("black")
        binding = has_ruff_config(view) or isinstance(black, dict)
        options: tuple[str, ...] = ("--force-exclude",)
        if not has_ruff_config(view):
            options = ("--isolated",)
            width: object = black.get("line-length") if isinstance(black, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] -- TOML of the tree
            options += ("--config", f"line-length={width}") if isinstance(width, int) else ()
        argv = (*_FORMAT, *options, "--", *view.targets(*_SUFFIXES))
        tolerant = ("sh", "-c", '"$@"; test $? -le 1', "sh", *argv)
        ran = await context.run(argv if binding else tolerant, on_output=_drop)
        if ran.result.exit_code >= _USAGE_ERROR:
            return not_run(self.name, context.job, f"ruff could not run: {_last_line(ran.result.output)}")
        level = Level.ERROR if binding else Level.NOTE
        findings = tuple(
            msgspec.structs.replace(finding, level=level, message="ruff format would change this file")
            for finding in from_sarif(ran.text, self.name)
        )
        summary = f"{counted(len(findings), 'file')} would be reformatted"
        if not binding:
            summary += " (the repository sets no formatter: a note)" if findings else ""
        return verdict(self.name, context.job, ran, findings, summary=summary)


def _drop(_data: bytes) -> None:
    """SARIF is for machines: nobody wants to see it stream by."""


def _last_line(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:200] if lines else "no output"
