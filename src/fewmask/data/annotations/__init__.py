"""Annotations of labeling tools, drawn as masks. One format is one file."""
