"""What the models in use said: the log of every decision."""
