"""Statements compiled once, for the one path that is taken at every step of every run.

SQLAlchemy spends more on looking up a statement's compiled form and on its parameters' types than SQLite does on the
statement. These go to the driver as text, with parameters of types both drivers take as they are: int, str, bytes, None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

__all__ = ["Prepared"]


class Prepared:
    """A statement with named parameters, as text for each dialect it was run on."""

    def __init__(self, statement: sa.ClauseElement) -> None:
        self._statement = statement
        self._texts: dict[str, tuple[str, tuple[str, ...] | None]] = {}

    def run(self, connection: sa.Connection, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """Execute it and return its rows, none if it is not a query.

        Raises:
            Exception: the driver's own error, `Database.driver_error`; `Database.write` knows it.

        """
        text, order = self._text(connection)
        cursor: Any = connection.connection.cursor()
        cursor.execute(text, _parameters(values, order))
        return cursor.fetchall() if cursor.description else []

    def run_many(self, connection: sa.Connection, rows: Sequence[Mapping[str, object]]) -> None:
        """Execute it once for each row; raises as `run` does."""
        text, order = self._text(connection)
        cursor: Any = connection.connection.cursor()
        cursor.executemany(text, [_parameters(row, order) for row in rows])

    def _text(self, connection: sa.Connection) -> tuple[str, tuple[str, ...] | None]:
        """Return the text, and the parameters' order where the driver takes them by position."""
        dialect = connection.dialect
        known = self._texts.get(dialect.name)
        if known is None:
            compiled: Any = self._statement.compile(dialect=dialect)
            order = tuple(compiled.positiontup) if compiled.positiontup else None
            known = self._texts[dialect.name] = (str(compiled), order)
        return known


def _parameters(values: Mapping[str, object], order: tuple[str, ...] | None) -> Mapping[str, object] | list[object]:
    return values if order is None else [values[name] for name in order]
