"""Removes what the stores know about a user: log records, tracked events, dead letters. `nobet erase-user` runs it.

Imports `app.core` and `app.clients` only.
"""
