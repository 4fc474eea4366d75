"""Plan AI compute: which chips to sign, with whom and when, with a proof."""

from planner.case import Case, load_case, save_case

__version__ = "0.1.0"
__all__ = ["Case", "__version__", "load_case", "save_case"]
