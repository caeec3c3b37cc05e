"""The command `latentflix`."""
