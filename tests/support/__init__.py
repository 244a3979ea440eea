"""What several tests need: waiting with a named time-out, servers, records."""
