"""mlpack.yaml, profiles and ``--set`` to a Spec: read, merge, normalise, validate, check; a module each."""

from mlpack.config.load import LoadedSpec, load_spec, load_text, located

__all__ = ["LoadedSpec", "load_spec", "load_text", "located"]
