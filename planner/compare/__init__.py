"""Plans side by side, and the change of cost from one to another by cause."""

from planner.compare.run import Comparison, compare

__all__ = ["Comparison", "compare"]
