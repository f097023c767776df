"""Unlabeled images by the million."""
