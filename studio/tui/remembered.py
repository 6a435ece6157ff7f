"""What the studio remembers of a repository between two sittings: the layout, the theme, the brief and the model."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import cast

__all__ = ["Remembered"]


@dataclass(slots=True)
class Remembered:
    """Choices of the person, with what holds where nothing was chosen."""

    theme: str = ""
    brief: str = ""
    model: str = ""
    wider: int = 0
    """Cells the side columns have more than usual."""

    @classmethod
    def load(cls, path: Path) -> Remembered:
        """Return what is remembered at `path`; a missing or broken file remembers nothing."""
        try:
            found: object = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            return cls()
        if not isinstance(found, dict):
            return cls()
        known = cast("dict[str, object]", found)
        result = cls()
        for field in fields(cls):
            value = known.get(field.name)
            if type(value) is type(getattr(result, field.name)):
                setattr(result, field.name, value)
        return result

    def save(self, path: Path) -> None:
        """Write it, whole or not at all; a repository that cannot be written to is remembered nothing of."""
        beside = path.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(json.dumps(asdict(self)), "utf-8")
            beside.replace(path)
