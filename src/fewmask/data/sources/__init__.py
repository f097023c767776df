"""Data sources, by name: your own folder, scenes made in memory, published data sets."""

SOURCES = {
    "folder": "fewmask.data.sources.folder:Folder",
    "synthetic": "fewmask.data.sources.synthetic:Synthetic",
    "camvid": "fewmask.data.sources.camvid:CamVid",
    "voc": "fewmask.data.sources.voc:VOC",
    "cityscapes": "fewmask.data.sources.cityscapes:Cityscapes",
    "coco": "fewmask.data.sources.coco:COCO",
    "ade20k": "fewmask.data.sources.ade20k:ADE20K",
}
"""Plain word to import path. Name a source of your own as package.module:Class."""
