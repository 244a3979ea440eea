"""Many connections at once against the app with all observability on, and against the same app with all of it off."""
