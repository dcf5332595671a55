"""Measures cartilage in knee scans: a web part that takes volumes, a worker that segments them."""
