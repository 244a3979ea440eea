"""Pictures of all dashboards, taken in a real browser from the running stack: `make pictures`."""
