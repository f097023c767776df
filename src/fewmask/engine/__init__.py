"""How training turns."""
