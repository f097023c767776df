"""The published data sets: layouts, class names, palettes, one file each."""
