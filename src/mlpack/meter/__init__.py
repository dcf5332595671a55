"""Reads the memory of running processes over time: control groups, smaps, the page cache."""
