"""What is wrong with files and labels: before training, and for `fewmask check`."""
