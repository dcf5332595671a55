"""verify/checks."""
