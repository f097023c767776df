"""What `fewmask check` reads, and what it says about it."""
