"""Runs: open one, load its networks, build method and trainer from a recipe."""
