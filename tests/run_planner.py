"""`python -m tests.run_planner ...` is the console script `planner ...`, for subprocesses."""

from planner.cli import main

if __name__ == "__main__":
    main()
