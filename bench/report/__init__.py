"""Writes bench/RESULTS.md from the raw figures in bench/results."""
