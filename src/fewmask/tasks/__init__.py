"""What the commands and the Python functions do: one verb, one file."""
