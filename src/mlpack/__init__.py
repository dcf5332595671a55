"""mlpack: turns host + models + app into a deployment that fits, and proves it."""

__version__ = "0.1.0"
