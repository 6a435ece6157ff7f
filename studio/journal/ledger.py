"""The ledger: money and tokens set aside before an attempt, and spent by it."""

from __future__ import annotations

import sqlalchemy as sa

from studio.domain.errors import BudgetSpent, InternalError
from studio.domain.ids import RunId
from studio.domain.runs import Budget
from studio.journal.database import Database, now_us
from studio.journal.tables import ledger
from studio.ports.journal import Reserved

__all__ = ["LedgerTable"]

_CENT_FRACTION = 1e-9
"""US dollars below which two sums are the same: they are sums of floats."""


class LedgerTable:
    """What was reserved and spent, as in `studio.ports.journal.Ledger`.

    A reservation counts against the budget until it is settled or its lease expires: an attempt whose process died
    must not hold the budget for ever. Settling one late still counts what it cost.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def reserve(self, run: RunId, budget: Budget, usd: float, tokens: int, step: str, lease_seconds: float) -> Reserved:
        """Set aside the most an attempt may cost, in one transaction across processes.

        Raises:
            BudgetSpent: what is spent and reserved leaves less than that.

        """
        now = now_us()
        with self._database.write() as connection:
            taken_usd, taken_tokens = _sums(connection, run, live_at=now)
            if taken_usd + usd > budget.usd + _CENT_FRACTION:
                raise BudgetSpent(
                    f"The next call may cost ${usd:.4f}; ${max(budget.usd - taken_usd, 0):.4f} of ${budget.usd:.2f} are left.",
                    "Raise the budget with `--budget` and resume the run.",
                )
            if taken_tokens + tokens > budget.tokens:
                raise BudgetSpent(
                    f"The next call may take {tokens} tokens; {max(budget.tokens - taken_tokens, 0)} of {budget.tokens} are left.",
                    "Raise the token budget and resume the run.",
                )
            expires = now + max(int(lease_seconds * 1e6), 1)
            row = {"run": run, "step": step, "usd": usd, "tokens": tokens, "expires": expires}
            entry: int = connection.execute(sa.insert(ledger).values(row).returning(ledger.c.id)).scalar_one()
        return Reserved(entry, usd, tokens)

    def settle(self, reserved: Reserved, usd: float, tokens: int) -> None:
        """Replace a reservation by what the attempt cost; 0 and 0 where it was not sent.

        Raises:
            InternalError: there is no such reservation.

        """
        cost = sa.update(ledger).where(ledger.c.id == reserved.id).values(usd=usd, tokens=tokens, expires=0)
        with self._database.write() as connection:
            found = connection.execute(cost).rowcount
        if not found:
            raise InternalError(f"There is no reservation {reserved.id}.", "This is a bug; please report it.")

    def spent(self, run: RunId) -> tuple[float, int]:
        """Return US dollars and tokens spent by a run, reservations not counted."""
        with self._database.read() as connection:
            return _sums(connection, run, live_at=None)


def _sums(connection: sa.Connection, run: RunId, live_at: int | None) -> tuple[float, int]:
    """Return dollars and tokens of what is settled and, given a time, of what is reserved then."""
    counted = ledger.c.expires == 0
    if live_at is not None:
        counted |= ledger.c.expires > live_at
    query = sa.select(
        sa.func.coalesce(sa.func.sum(ledger.c.usd), 0.0), sa.func.coalesce(sa.func.sum(ledger.c.tokens), 0)
    )
    usd, tokens = connection.execute(query.where(ledger.c.run == run, counted)).one()
    return float(usd), int(tokens)
