"""A run: open it, load its networks, build method and trainer from a recipe."""
