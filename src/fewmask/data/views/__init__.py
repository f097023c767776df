"""Weak and strong views of images."""
