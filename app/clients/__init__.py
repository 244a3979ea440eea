"""Clients of the servers that we talk to. Import `app.core` only."""
