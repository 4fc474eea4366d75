"""The report of a plan: one HTML file for a finance lead and an infrastructure lead."""

from planner.report.page import report_html

__all__ = ["report_html"]
