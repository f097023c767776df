"""From a trained network to a file that other programs run."""
