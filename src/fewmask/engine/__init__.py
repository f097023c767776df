"""How training works."""
