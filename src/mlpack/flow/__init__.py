"""From a project folder to a plan and its files: the arrows of the design, in order, for every command alike."""

from mlpack.flow.gather import Gathered, gather
from mlpack.flow.inputs import footprint_inputs
from mlpack.flow.produce import Prepared, Produced, make, output_folder, prepare, produce

__all__ = [
    "Gathered",
    "Prepared",
    "Produced",
    "footprint_inputs",
    "gather",
    "make",
    "output_folder",
    "prepare",
    "produce",
]
