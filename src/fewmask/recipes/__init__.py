"""Recipes as YAML files: a paper's settings, only what differs from the defaults."""
