"""Training: composed lines in batches, losses, one loop, and the folder that a run leaves."""
