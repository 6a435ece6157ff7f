"""The twelve stages from brief to landed bytes, and which of them each depth runs."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["DEPTH_STAGES", "Depth", "Stage"]


class Stage(StrEnum):
    """A stage, in pipeline order. Stages 1 to 11 are the workflow; deliver is the host's transaction."""

    INTAKE = "intake"
    RECALL = "recall"
    REQUIREMENTS = "requirements"
    PLAN = "plan"
    BUILD = "build"
    INTEGRATE = "integrate"
    TEST = "test"
    CHECK = "check"
    REPAIR = "repair"
    RUN = "run"
    REVIEW = "review"
    DELIVER = "deliver"


class Depth(StrEnum):
    """How much a run does. `auto` is resolved to one of the others at intake."""

    AUTO = "auto"
    QUICK = "quick"
    STANDARD = "standard"
    DEEP = "deep"


_QUICK = (Stage.INTAKE, Stage.RECALL, Stage.BUILD, Stage.CHECK, Stage.REPAIR, Stage.REVIEW)
_ALL = tuple(stage for stage in Stage if stage is not Stage.DELIVER)

DEPTH_STAGES: dict[Depth, tuple[Stage, ...]] = {Depth.QUICK: _QUICK, Depth.STANDARD: _ALL, Depth.DEEP: _ALL}
"""The workflow's stages by depth, in order."""
