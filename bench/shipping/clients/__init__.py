"""Shippers that are Python programs: each prepares, says `ready`, waits for a line of input, ships, says `done`."""
