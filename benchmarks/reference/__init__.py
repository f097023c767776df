"""The same work done as typical research code does it: what the benchmarks compare with."""
