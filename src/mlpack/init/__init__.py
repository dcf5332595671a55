"""``mlpack init``: what a project's files say about it, as mlpack.yaml; what they do not say is asked for by flag."""

from mlpack.init.detect import detect
from mlpack.init.detected import ANSWERS, Detected, DetectedModel
from mlpack.init.write import spec_text, write_spec

__all__ = ["ANSWERS", "Detected", "DetectedModel", "detect", "spec_text", "write_spec"]
