"""The planner: HostFacts, Spec and Footprints to a Plan, or a refusal; one pure module per kind of decision."""

from mlpack.planner.explain import Explained, explain
from mlpack.planner.make import make_plan

__all__ = ["Explained", "explain", "make_plan"]
