"""What a case is, and reading, checking and writing one."""

from planner.case.calendar import Calendar
from planner.case.case import Case, most_specific
from planner.case.read import load_case
from planner.case.write import save_case

__all__ = ["Calendar", "Case", "load_case", "most_specific", "save_case"]
