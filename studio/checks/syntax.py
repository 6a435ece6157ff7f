"""Does every touched file parse: by its language's own compiler where the sandbox has it, by tree-sitter elsewhere."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import NamedTuple

from studio.checks.base import CheckContext, Ran, counted, inside, verdict
from studio.checks.tree import TreeView, read_regular
from studio.domain.checks import CheckResult, Finding, Level, Outcome
from studio.domain.sandbox import Ending
from studio.ports.engine import CheckJob

__all__ = ["SyntaxCheck"]

BATCH = 200
"""Files a command line is given at most."""

_PYTHON = """
import ast, sys, warnings
warnings.simplefilter("ignore")
failed = 0
for path in sys.argv[1:]:
    try:
        with open(path, "rb") as file:
            ast.parse(file.read(), path)
    except SyntaxError as error:
        failed = 1
        print(f"{path}:{error.lineno or 1}:{error.offset or 0}: {error.msg}")
    except (ValueError, RecursionError, MemoryError) as error:
        failed = 1
        print(f"{path}:1:0: {error}")
sys.exit(failed)
"""
_EACH = 'code=0; for file in "$@"; do {0} "$file" || code=1; done; exit $code'


class _Compiler(NamedTuple):
    tool: str
    argv: tuple[str, ...]
    suffixes: tuple[str, ...]
    pattern: re.Pattern[str]
    """Finds path, line, and message, column where there is one."""


_AT = r"(?P<path>[^\n:]+?):(?P<line>\d+)"
_COMPILERS = {
    "python": _Compiler(
        "python3",
        ("python3", "-I", "-c", _PYTHON),
        (".py", ".pyi"),
        re.compile(rf"^{_AT}:(?P<column>\d+): (?P<text>.+)$", re.MULTILINE),
    ),
    "javascript": _Compiler(
        "node",
        ("sh", "-c", _EACH.format("node --check"), "sh"),
        (".js", ".mjs", ".cjs"),
        re.compile(rf"^{_AT}\n(?:.*\n)*?(?P<text>\w*Error: .+)$", re.MULTILINE),
    ),
    "go": _Compiler(
        "gofmt",
        ("sh", "-c", 'gofmt -e -l "$@" >/dev/null', "sh"),
        (".go",),
        re.compile(rf"^{_AT}:(?P<column>\d+): (?P<text>.+)$", re.MULTILINE),
    ),
    "ruby": _Compiler(
        "ruby",
        ("sh", "-c", _EACH.format("ruby -c >/dev/null"), "sh"),
        (".rb",),
        re.compile(rf"^{_AT}: (?P<text>.+)$", re.MULTILINE),
    ),
    "php": _Compiler(
        "php",
        ("sh", "-c", _EACH.format("php -n -l >/dev/null"), "sh"),
        (".php",),
        re.compile(
            r"^(?:PHP )?(?P<text>(?:Parse|Fatal) error: .+) in (?P<path>.+?) on line (?P<line>\d+)$", re.MULTILINE
        ),
    ),
}


class SyntaxCheck:
    """Runs the compilers' parsers over the touched files; parsing runs no code of the tree."""

    name = "syntax"
    fast = True

    def applies(self, view: TreeView, /) -> bool:
        """Return whether there may be a file in a known language."""
        return bool(view.scope)

    async def run(self, context: CheckContext) -> CheckResult:
        """Parse every touched file in a known language."""
        by_language: dict[str, list[str]] = defaultdict(list)
        for path in context.view.scope:
            language = context.syntax.language(path)
            if language is not None:
                by_language[language].append(f"./{path}" if path.startswith("-") else path)
        findings: list[Finding] = []
        runs: list[Ran] = []
        for language, paths in sorted(by_language.items()):
            compiler = _COMPILERS.get(language)
            compiled: set[str] = set()
            if compiler is not None and await context.has(compiler.tool):
                compiled = {path for path in paths if path.endswith(compiler.suffixes)}
                found, ran = await _compile(context, compiler, sorted(compiled))
                findings += found
                runs += ran
            for path in paths:
                if path not in compiled:
                    findings += context.syntax.errors(path, read_regular(context.view.root, path) or b"")
        return _verdict(context.job, findings, runs, sum(map(len, by_language.values())))


async def _compile(context: CheckContext, compiler: _Compiler, paths: list[str]) -> tuple[list[Finding], list[Ran]]:
    findings: list[Finding] = []
    runs: list[Ran] = []
    for start in range(0, len(paths), BATCH):
        batch = paths[start : start + BATCH]
        ran = await context.run((*compiler.argv, *batch))
        runs.append(ran)
        if ran.result.exit_code == 0:
            continue
        text = ran.result.output.decode("utf-8", "replace")
        for match in compiler.pattern.finditer(text):
            place = match.groupdict()
            findings.append(
                Finding(
                    "syntax",
                    compiler.tool,
                    Level.ERROR,
                    place["text"].strip()[:500],
                    inside(place["path"]),
                    int(place["line"]),
                    int(place["line"]),
                    int(place.get("column") or 0),
                )
            )
    return findings, runs


def _verdict(job: CheckJob, findings: list[Finding], runs: list[Ran], files: int) -> CheckResult:
    summary = f"{counted(len(findings), 'syntax error')} in {counted(files, 'file')}"
    worst = next((ran for ran in runs if ran.result.ending is Ending.REFUSED), None) or next(
        (ran for ran in runs if ran.result.exit_code), runs[0] if runs else None
    )
    if worst is not None:
        return verdict("syntax", job, worst, tuple(findings), summary=summary, ok=not findings)
    return CheckResult(
        "syntax",
        Outcome.FAILED if findings else Outcome.PASSED,
        job.tree_id,
        command=("tree-sitter",),
        findings=tuple(findings),
        summary=summary,
    )
