"""The data sources by name."""

SOURCES = {
    "folder": "fewmask.data.folder:Folder",
    "synthetic": "fewmask.data.synthetic:Synthetic",
    "camvid": "fewmask.data.benchmarks.camvid:CamVid",
    "voc": "fewmask.data.benchmarks.voc:VOC",
    "cityscapes": "fewmask.data.benchmarks.cityscapes:Cityscapes",
    "coco": "fewmask.data.benchmarks.coco:COCO",
    "ade20k": "fewmask.data.benchmarks.ade20k:ADE20K",
}
"""Plain word to import path; a user's own source is given as package.module:Class."""
