"""How numbers are written for people."""

from __future__ import annotations

from widgets.ansi import clean

__all__ = ["duration", "model_name", "money", "plural", "tokens"]


def duration(seconds: float) -> str:
    """Return `0.4s`, `12s`, `3m05s`, `2h10m`; nothing for none."""
    if seconds <= 0:
        return ""
    if seconds < 9.95:  # noqa: PLR2004 - tenths below ten seconds
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004
        return f"{whole}s"
    if whole < 3600:  # noqa: PLR2004
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m"


def tokens(count: int) -> str:
    """Return `812`, `1.2k`, `34k`, `1.1M`; nothing for none."""
    if count <= 0:
        return ""
    if count < 1000:  # noqa: PLR2004
        return str(count)
    if count < 999_500:  # noqa: PLR2004
        return f"{count / 1000:.1f}k" if count < 9950 else f"{round(count / 1000)}k"  # noqa: PLR2004
    return f"{count / 1_000_000:.1f}M"


def money(usd: float) -> str:
    """Return US dollars with as many digits as say something; nothing for none."""
    if usd <= 0:
        return ""
    return f"${usd:.2f}" if usd >= 0.1 else f"${usd:.4f}"  # noqa: PLR2004 - below ten cents two digits say little


def plural(count: int, one: str, many: str = "") -> str:
    """Return `1 hunk`, `2 hunks`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def model_name(spec: str) -> str:
    """Return a model spec in few words; a recording is called a replay, and people who answer by hand are said so."""
    kind, _, rest = spec.partition(":")
    if kind in {"replay", "manual"} and rest:
        return f"{kind} {clean(rest.rstrip('/').rsplit('/', 1)[-1], 24)}"
    name, _, base = spec.partition("@")
    server = base.split("://")[-1].split("/")[0]
    return clean(name, 32) + (f" at {clean(server, 24)}" if server else "")
