"""The reference endpoints: what a cloner replaces. HTTP in and out; the work is in `app.domain`."""
