"""Lists of labeled images: published names, drawing, reading."""
