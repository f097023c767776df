"""The data sources by name."""

SOURCES = {
    "folder": "fewmask.data.folder:Folder",
    "camvid": "fewmask.data.benchmarks:CamVid",
    "synthetic": "fewmask.data.synthetic:Synthetic",
}
"""Plain word to import path; a user's own source is given as package.module:Class."""
