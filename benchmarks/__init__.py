"""Timings and memory that anyone can repeat: `python -m benchmarks --help`."""
