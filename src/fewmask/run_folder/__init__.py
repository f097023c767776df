"""The files of a run folder: paths, tables, checkpoints, results."""
