"""Why a case has no plan, or only a short one: conflicting limits and what it takes to relax them.

`planner.explain.infeasible.explain_case` is the way in.
"""
