"""Retention: what the store keeps, and letting go of the rest."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path

from studio.domain.ids import ArtifactId, LandingId, RunId
from studio.workspace.intent import Intents
from studio.workspace.snapshot import Recorder, base_of
from studio.workspace.store import Store

__all__ = ["keep"]

_GRACE_SECONDS = 3600
"""What is younger stays: a step may have written it and not yet said so."""
_ARTIFACTS = "refs/studio/artifacts"


def keep(
    store: Store, recorder: Recorder, intents: Intents, runs: Collection[RunId], artifacts: Collection[ArtifactId]
) -> None:
    """Prune what neither `runs`, their landings, nor `artifacts` need; renew the pins of their bases' HEADs."""
    _point_at(store, artifacts)
    doomed: list[str] = []
    kept: list[str] = []
    for name in store.git.text("for-each-ref", "--format=%(refname)", "refs/studio").split():
        kind, _, key = name.removeprefix("refs/studio/").partition("/")
        if _is_doomed(store, intents, kind, key, runs):
            doomed.append(name)
            if kind == "landings":
                intents.drop(LandingId(key))
        else:
            kept.append(name)
    _renew(store, recorder, kept)
    commands = "".join(f"delete {name}\n" for name in doomed)
    store.git.run("update-ref", "--stdin", data=commands.encode())
    store.git.run("prune", f"--expire={_GRACE_SECONDS}.seconds.ago")
    _drop_packs(store)


def _is_doomed(store: Store, intents: Intents, kind: str, key: str, runs: Collection[RunId]) -> bool:
    if kind == "why":
        return True
    if kind == "runs":
        return key not in runs
    if kind == "bases":
        return _is_old(store.places.store / "refs/studio/bases" / key)
    if kind in {"landings", "previews"}:
        intent = intents.load(LandingId(key))
        return intent is None or intent.landing.run not in runs
    return False


def _is_old(file: Path) -> bool:
    try:
        return file.stat().st_mtime < time.time() - _GRACE_SECONDS
    except FileNotFoundError:
        return True


def _point_at(store: Store, artifacts: Collection[ArtifactId]) -> None:
    """Make every artifact reachable, from one tree whose names are their ids."""
    lines = "".join(f"100644 blob {artifact}\t{artifact}\n" for artifact in sorted(artifacts))
    store.set_ref(_ARTIFACTS, store.git.text("mktree", "--missing", data=lines.encode()))


def _renew(store: Store, recorder: Recorder, refs: Collection[str]) -> None:
    """Pin the HEADs of kept bases again: git forgets pins after its reflog's 90 days."""
    roots = [name for name in refs if name.startswith(("refs/studio/runs/", "refs/studio/bases/"))]
    if not roots:
        return
    for commit in store.git.text("rev-list", "--max-parents=0", *roots).split():
        head = base_of(store, commit).get("head", "")
        if head and store.git.call("cat-file", "-e", head).returncode == 0:
            recorder.pin(head, commit)


def _drop_packs(store: Store) -> None:
    """Remove packs of ours none of whose objects is needed."""
    packs = [pack for pack in (store.objects / "pack").glob("*.idx") if _is_old(pack)]
    if not packs:
        return
    needed = set(store.git.text("rev-list", "--objects", "--no-object-names", "--missing=allow-any", "--all").split())
    for index in packs:
        objects = store.git.text("show-index", data=index.read_bytes()).splitlines()
        if needed.isdisjoint(line.split(" ")[1] for line in objects):
            for part in index.parent.glob(f"{index.stem}.*"):
                part.unlink(missing_ok=True)
