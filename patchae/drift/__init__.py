"""Whether what the cameras see now is what a champion was calibrated on."""
