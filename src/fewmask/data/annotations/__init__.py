"""Formats of labeling tools."""
