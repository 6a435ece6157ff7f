"""Security: bandit's static rules on Python, and well-known shapes of credentials in any text."""

from __future__ import annotations

import re

import msgspec

from studio.checks.base import CheckContext, counted, inside, not_run, verdict
from studio.checks.tree import TreeView, read_regular
from studio.domain.checks import CheckResult, Finding, Level, Outcome
from studio.domain.value import Value

__all__ = ["SecretsCheck", "SecurityCheck"]

_LEVELS = {"HIGH": Level.ERROR, "MEDIUM": Level.ERROR}


class _Issue(Value, frozen=True):
    filename: str
    line_number: int
    issue_text: str
    test_id: str = ""
    issue_severity: str = "LOW"


class _Report(Value, frozen=True):
    results: tuple[_Issue, ...] = ()


class SecurityCheck:
    """`bandit`, medium severity and up.

    The script is run, never `python -m bandit`: that would import from the tree. Tests are left to the low severities,
    which do not count.
    """

    name = "security"
    fast = False

    def applies(self, view: TreeView, /) -> bool:
        """Return whether there is a touched Python file."""
        return bool(view.scoped(".py"))

    async def run(self, context: CheckContext) -> CheckResult:
        """Scan the touched files."""
        if not await context.has("bandit"):
            return not_run(self.name, context.job, "bandit is not in the sandbox")
        files = context.view.targets(".py")
        options = ("-r", "-x", "./.venv,./venv,./node_modules") if files == (".",) else ()
        ran = await context.run(("bandit", "-q", "-ll", "-f", "json", *options, *files), on_output=lambda _: None)
        try:
            report = msgspec.json.decode(ran.text[ran.text.find("{") :], type=_Report)
        except msgspec.MsgspecError:
            return not_run(self.name, context.job, "bandit gave no report")
        findings = tuple(
            Finding(
                self.name,
                issue.test_id,
                _LEVELS.get(issue.issue_severity, Level.NOTE),
                issue.issue_text,
                inside(issue.filename),
                issue.line_number,
                issue.line_number,
            )
            for issue in report.results
        )
        return verdict(self.name, context.job, ran, findings, summary=counted(len(findings), "finding"))


_SIGNATURES = (
    ("aws-access-key", re.compile(r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b")),
    ("github-token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})\b")),
    ("gitlab-token", re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}")),
    ("slack-token", re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{20,}")),
    ("google-api-key", re.compile(r"\bAIza[A-Za-z0-9_-]{35}\b")),
    ("stripe-key", re.compile(r"\b[rs]k_live_[A-Za-z0-9]{20,}")),
    ("model-provider-key", re.compile(r"\bsk-(?:ant-|proj-|or-)[A-Za-z0-9_-]{20,}")),
    ("npm-token", re.compile(r"\bnpm_[A-Za-z0-9]{36}\b")),
    ("pypi-token", re.compile(r"\bpypi-AgE[A-Za-z0-9_-]{50,}")),
    ("private-key", re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----")),
)
_PLACEHOLDER = re.compile(r"example|(.)\1{7}|0123456789", re.IGNORECASE)


class SecretsCheck:
    """Credentials by the shapes their issuers document; only lines the change adds, where those are known.

    The text of a finding names the kind, never the secret.
    """

    name = "secrets"
    fast = True

    def applies(self, view: TreeView, /) -> bool:
        """Return whether anything is touched."""
        return bool(view.scope)

    async def run(self, context: CheckContext) -> CheckResult:
        """Search the touched files, in this process: it reads bytes and runs nothing."""
        job = context.job
        added = dict(job.changed_lines)
        findings: list[Finding] = []
        for path in context.view.scope:
            data = read_regular(context.view.root, path)
            if data is None or b"\0" in data[:8192]:
                continue
            findings += _secrets(path, data.decode("utf-8", "replace"), frozenset(added.get(path, ())))
        return CheckResult(
            self.name,
            Outcome.FAILED if findings else Outcome.PASSED,
            job.tree_id,
            command=("secret-signatures",),
            findings=tuple(findings),
            summary=counted(len(findings), "credential"),
        )


def _secrets(path: str, text: str, lines: frozenset[int]) -> list[Finding]:
    found: list[Finding] = []
    for number, line in enumerate(text.split("\n"), 1):
        if lines and number not in lines:
            continue
        for rule, pattern in _SIGNATURES:
            match = pattern.search(line)
            if match and not _PLACEHOLDER.search(match.group()):
                message = f"this looks like a credential ({rule}): take it from the environment"
                found.append(Finding("secrets", rule, Level.ERROR, message, path, number, number, match.start() + 1))
    return found
