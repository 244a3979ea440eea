"""The database: models, sessions, queries, and what is observed about them. Imports `app.core` only."""
