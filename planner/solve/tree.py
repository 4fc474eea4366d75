"""The tree of a search: its nodes, which leaves are open, and where those that are solved ended."""

from __future__ import annotations

import heapq

import numpy as np
import numpy.typing as npt

from planner.solve.certificate import Node
from planner.solve.lp import Basis

Floats = npt.NDArray[np.float64]


class Tree:
    """Nodes, and the open leaves in the order of their bounds.

    A leaf that is not open is done with: empty, too dear, or its plan is known.
    """

    def __init__(self) -> None:
        """A tree of a root without a bound, which is not open yet."""
        self.nodes = [Node(-1, -1, -np.inf, np.inf)]
        self._heap: list[tuple[float, int]] = []
        self._ended: dict[int, tuple[Floats, Basis]] = {}

    @property
    def bound(self) -> float:
        """Least bound over the leaves, USD."""
        return min(n.bound for n in self.nodes if n.leaf)

    @property
    def first(self) -> int | None:
        """The open leaf with the least bound; None without one."""
        return self._heap[0][1] if self._heap else None

    def is_solved(self, at: int) -> bool:
        """Whether a leaf has a point."""
        return at in self._ended

    def pop(self) -> int:
        """Take the first leaf out of the open ones."""
        return heapq.heappop(self._heap)[1]

    def ended(self, at: int) -> tuple[Floats, Basis]:
        """Point and basis of a leaf that is solved."""
        return self._ended[at]

    def open(self, at: int, x: Floats | None = None, basis: Basis | None = None) -> None:
        """Open a leaf, with the point and the basis where its relaxation ended if it is solved."""
        heapq.heappush(self._heap, (self.nodes[at].bound, at))
        if x is not None and basis is not None:
            self._ended[at] = x, basis

    def adopt(self, nodes: list[Node]) -> None:
        """Take over the nodes of another tree; its leaves are open unless they are empty."""
        self.nodes = nodes
        for at, node in enumerate(nodes):
            if node.leaf and node.bound < np.inf:
                self.open(at)

    def lift(self, at: int, y: Floats, bound: float, *, ray: bool = False) -> None:
        """Give an open leaf other duals (or a ray), which prove more; an empty one is closed."""
        self.close(at)
        self.nodes[at].y, self.nodes[at].ray, self.nodes[at].bound = y, ray, bound
        if bound < np.inf:
            self.open(at)

    def halve(
        self, at: int, column: int, value: float, bounds: tuple[Floats, Floats]
    ) -> tuple[int, int]:
        """Split an open leaf below and above a column's value; both are open, with its proof."""
        self.close(at)
        node = self.nodes[at]
        below, above = self.children(at, column, value, bounds)
        for child in (below, above):
            # What proves a bound of the parent proves as much of its children.
            self.nodes[child].y, self.nodes[child].bound = node.y, node.bound
            self.open(child)
        self._ended.pop(at, None)
        node.leaf, node.y = False, np.zeros(0)
        return below, above

    def children(
        self, at: int, column: int, value: float, bounds: tuple[Floats, Floats]
    ) -> tuple[int, int]:
        """Two new leaves of a node, below and above a column's value; neither is open.

        `bounds` are those of the columns at the node.
        """
        low, high = float(bounds[0][column]), float(bounds[1][column])
        cut = float(np.floor(value))
        self.nodes += [Node(at, column, low, cut), Node(at, column, cut + 1.0, high)]
        return len(self.nodes) - 2, len(self.nodes) - 1

    def split(self, at: int, children: tuple[int, int]) -> bool:
        """Let the last two leaves stand for their parent, which is not open, if both have a bound.

        If not, they are taken back.
        """
        if any(self.nodes[child].bound == -np.inf for child in children):
            for child in children:
                if child in (open_ for _, open_ in self._heap):
                    self.close(child)
                self._ended.pop(child, None)
            del self.nodes[-2:]
            return False
        self._ended.pop(at, None)
        self.nodes[at].leaf = False
        self.nodes[at].y = np.zeros(0)
        return True

    def close(self, at: int) -> None:
        """Take a leaf out of the open ones, if it is one of them."""
        entry = self.nodes[at].bound, at
        if entry in self._heap:
            self._heap.remove(entry)
            heapq.heapify(self._heap)
