"""Nöbet: a self-hosted observability stack around a reference FastAPI backend.

One process per folder; `app.core` is the part that a project which clones this keeps.
"""
