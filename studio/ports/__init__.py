"""Protocols the engine speaks to: what is behind them is picked in `studio.wiring` alone."""
