"""Why a plan is as it is, or why a case has none.

`planner.explain.run` explains a plan: what binds, what it costs, what nearly entered, and what to
decide when. `planner.explain.infeasible` explains a case: conflicting limits and what it takes to
relax them.
"""
