"""Speed and memory, runnable by anyone: `python -m benchmarks --help`."""
