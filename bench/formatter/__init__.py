"""What one log call costs: CPU time from the call to bytes in a file, five extra fields and the fields of a request with it."""
