"""What the endpoints do, without HTTP: rules, units of work, business records and counters."""
