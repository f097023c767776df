"""What lies in a run folder: paths, tables, checkpoints, results."""
