"""Experiments that train, and report scores rather than timings: `python -m experiments --help`."""
