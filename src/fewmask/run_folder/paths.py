"""The paths of a run folder."""

TABLES = (
    "results.csv",
    "per_class.csv",
    "hardness.csv",
    "pseudo_labels.csv",
    "pseudo_shares.csv",
    "times.csv",
)
