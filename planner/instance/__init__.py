"""Case -> Instance: the numbers of the problem as labelled arrays. Units convert here only."""

from planner.instance.build import Instance, build_instance

__all__ = ["Instance", "build_instance"]
