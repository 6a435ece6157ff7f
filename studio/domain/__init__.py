"""Frozen types, ids, events, errors and pure folds: the words every other package speaks."""
