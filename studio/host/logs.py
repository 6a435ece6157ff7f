"""The host's log file: rotating, readable by its owner alone, with secrets taken out."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from logging.handlers import RotatingFileHandler
from pathlib import Path

from studio.domain.places import Places

__all__ = ["Redaction", "close_log", "log_file", "open_log"]

MAX_BYTES = 2 * 1024 * 1024
KEPT_FILES = 3
_NAMES = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL)", re.IGNORECASE)
_SHAPES = re.compile(
    r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bAKIA[0-9A-Z]{16}\b|\bxox[abprs]-[A-Za-z0-9-]{10,}"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)|(?<=[Bb]earer )[A-Za-z0-9._~+/-]{8,}"
)
_SHORTEST = 8
"""A shorter value is no secret, and taking it out would take words out."""


def log_file(places: Places) -> Path:
    """Return the host's log file."""
    return places.logs / "host.log"


class Redaction(logging.Formatter):
    """Formats records and takes out the values of secret variables of the environment, and what looks like a secret."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")
        values = {value for name, value in environ.items() if _NAMES.search(name) and len(value) >= _SHORTEST}
        self._values = sorted(values, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text, tracebacks included, without secrets."""
        text = super().format(record)
        for value in self._values:
            text = text.replace(value, "[redacted]")
        return _SHAPES.sub("[redacted]", text)


def open_log(places: Places, environ: Mapping[str, str] = os.environ) -> logging.Handler:
    """Send what `studio` logs to the host's log file; return the handler, for `close_log`."""
    path = log_file(places)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handler = RotatingFileHandler(path, maxBytes=MAX_BYTES, backupCount=KEPT_FILES, encoding="utf-8", delay=True)
    handler.setFormatter(Redaction(environ))
    path.touch(mode=0o600)
    logger = logging.getLogger("studio")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    return handler


def close_log(handler: logging.Handler) -> None:
    """End what `open_log` began."""
    logging.getLogger("studio").removeHandler(handler)
    handler.close()
