"""Why a plan is as it is: what binds, what it costs, what nearly entered, and what to decide when.

`planner.explain.run` explains a plan.
"""
