"""tune: searches with real runs for what a plan can only predict. Every trial is a verification of a copy."""
