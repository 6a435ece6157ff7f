"""Trees as lines: items with parents, folded and filtered, shown by a `LineView`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, Protocol, TypeVar

import msgspec
from textual.binding import Binding, BindingType
from textual.message import Message

from widgets.lines import LineView

__all__ = ["TreeItem", "TreeLines"]


class TreeItem(Protocol):
    """What an item of a tree has; `parent` is another item's key, or empty. Parents come before their children."""

    @property
    def key(self) -> str: ...  # noqa: D102 - described above
    @property
    def parent(self) -> str: ...  # noqa: D102
    @property
    def open(self) -> bool:
        """Whether it shows its children until somebody folds or unfolds it."""
        ...


T = TypeVar("T", bound=TreeItem)


class Placed(msgspec.Struct, Generic[T], frozen=True):
    """An item in its place."""

    item: T
    depth: int
    children: int
    opened: bool


class TreeLines(LineView, Generic[T]):
    """A tree of items.

    | Key | Does |
    |---|---|
    | space | fold, unfold |
    | left, h · right, l | fold or go to the parent · unfold |
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "toggle_fold", "Fold", show=False, id="tree.toggle"),
        Binding("left,h", "fold", "Fold", show=False, id="tree.fold"),
        Binding("right,l", "unfold", "Unfold", show=False, id="tree.unfold"),
    ]

    @dataclass
    class Picked(Message):
        """An item was chosen."""

        view: TreeLines[TreeItem]
        key: str

        @property
        def control(self) -> TreeLines[TreeItem]:
            """The view."""
            return self.view

    def __init__(self, *, id: str | None = None, classes: str | None = None, empty: str = "") -> None:  # noqa: A002
        super().__init__(id=id, classes=classes, empty=empty)
        self._items: Sequence[T] = ()
        self._placed: list[Placed[T]] = []
        self._folds: dict[str, bool] = {}
        self.follow = False
        """Whether the cursor stays on the last line while it is there."""

    def keeps(self, item: T) -> bool:  # noqa: ARG002 - subclasses filter
        """Tell whether the filter lets `item` through; the parents of what it lets through are shown too."""
        return True

    def set_items(self, items: Sequence[T]) -> None:
        """Show `items`. The cursor stays on its item."""
        self._items = items
        self._place()
        self.changed()

    @property
    def count(self) -> int:
        """Number of lines."""
        return len(self._placed)

    def placed(self, index: int) -> Placed[T]:
        """Return the item at line `index` with its place."""
        return self._placed[index]

    @property
    def current(self) -> T | None:
        """The cursor's item."""
        return self._placed[self.cursor].item if 0 <= self.cursor < len(self._placed) else None

    def go_to(self, key: str) -> bool:
        """Move to the item of that key, unfolding what is above it; False if there is none or the filter hides it."""
        above = self._above(key)
        if any(not self._folds.get(parent, False) for parent in above):
            self._folds.update(dict.fromkeys(above, True))
            self._place()
        for index, placed in enumerate(self._placed):
            if placed.item.key == key:
                self.go(index)
                return True
        return False

    def refilter(self) -> None:
        """Apply a changed filter."""
        self._place()
        self.paint()
        self.show_cursor()

    def _place(self) -> None:
        at_end = self.follow and self.cursor >= len(self._placed) - 1
        held = self.current.key if self.current is not None else ""
        children, kept = self._children()
        above = [] if at_end else self._above(held)
        self._placed = []
        stack = [(item, 0) for item in reversed(children.get("", []))]
        while stack:
            item, depth = stack.pop()
            if item.key not in kept:
                continue
            below = [child for child in children.get(item.key, ()) if child.key in kept]
            opened = self._folds.get(item.key, item.open or item.key in above)
            self._placed.append(Placed(item, depth, len(below), opened))
            if opened:
                stack.extend((child, depth + 1) for child in reversed(below))
        if at_end:
            self.cursor = max(0, len(self._placed) - 1)
            self.call_after_refresh(self.show_cursor)
        elif held and not (0 <= self.cursor < len(self._placed) and self._placed[self.cursor].item.key == held):
            places = {placed.item.key: at for at, placed in enumerate(self._placed)}
            self.cursor = next((places[key] for key in (held, *self._above(held)) if key in places), self.cursor)

    def _above(self, key: str) -> list[str]:
        """Return the keys of the items above one, nearest first."""
        known = {item.key: item.parent for item in self._items}
        above: list[str] = []
        while (key := known.get(key, "")) and key not in above:
            above.append(key)
        return above

    def _children(self) -> tuple[dict[str, list[T]], set[str]]:
        known = {item.key: item for item in self._items}
        children: dict[str, list[T]] = {}
        kept: set[str] = set()
        for item in self._items:
            parent = item.parent if item.parent in known and item.parent != item.key else ""
            children.setdefault(parent, []).append(item)
            if self.keeps(item):
                at: T | None = item
                while at is not None and at.key not in kept:
                    kept.add(at.key)
                    at = known.get(at.parent)
        return children, kept

    def on_line_view_chosen(self, event: LineView.Chosen) -> None:
        """Tell which item it was."""
        event.stop()
        if self.current is not None:
            self.post_message(self.Picked(self, self.current.key))  # pyright: ignore[reportArgumentType] the message does not care for T

    def action_toggle_fold(self) -> None:
        """Fold or unfold the cursor's item."""
        if 0 <= self.cursor < self.count and self._placed[self.cursor].children:
            self._fold(self._placed[self.cursor], opened=not self._placed[self.cursor].opened)

    def action_fold(self) -> None:
        """Fold the item, or go to its parent."""
        if not 0 <= self.cursor < self.count:
            return
        placed = self._placed[self.cursor]
        if placed.children and placed.opened:
            self._fold(placed, opened=False)
        elif placed.depth:
            self.go(next(i for i in range(self.cursor, -1, -1) if self._placed[i].depth < placed.depth))

    def action_unfold(self) -> None:
        """Unfold the item."""
        if 0 <= self.cursor < self.count and self._placed[self.cursor].children:
            self._fold(self._placed[self.cursor], opened=True)

    def _fold(self, placed: Placed[T], *, opened: bool) -> None:
        self._folds[placed.item.key] = opened
        self.refilter()
