"""Measurements: side by side, on this machine, with the raw figures kept."""
