"""What a repository's own files may not decide unless the person trusts it: where code and secrets go."""

from __future__ import annotations

import re

from studio.domain.config import Config
from studio.domain.places import Places

__all__ = ["distant", "trusted"]

_HERE = re.compile(r"https?://(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?(?:/[\w./-]*)?")
"""A URL of this machine, in a form that no two parsers read differently."""


def distant(config: Config) -> tuple[str, ...]:
    """Return the keys of a configuration file that name another machine, or a database, which holds all there is."""
    models, memory = config.models, config.memory
    named: dict[str, tuple[str, ...]] = {
        "memory.url": (memory.url,),
        "memory.embedder": _bases(memory.embedder),
        "models.api_base": (models.api_base,),
        "models.default": _bases(models.default),
        "models.fallbacks": _bases(*models.fallbacks),
        "models.tiers": _bases(*(name for chain in models.tiers.values() for name in chain)),
    }
    far = [key for key, urls in named.items() if any(url and not _HERE.fullmatch(url) for url in urls)]
    return tuple(sorted([*far, *(["database"] if config.database else [])]))


def _bases(*specs: str) -> tuple[str, ...]:
    """Return the base URLs of model specs: `MODEL@URL`."""
    return tuple(spec.partition("@")[2] for spec in specs if "@http" in spec)


def trusted(places: Places, config: Config) -> bool:
    """Return whether the person trusts this repository's own files: its directory is under `trust`.

    A linked working tree is trusted with the repository it belongs to.
    """
    own = {places.worktree.rstrip("/"), places.common.rstrip("/").removesuffix("/.git")}
    return any(path.rstrip("/") in own for path in config.trust)
