"""Runs one worker in a process of its own, stage by stage, and tells its footprint. See ``measure.run``."""
