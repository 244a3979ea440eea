"""Backup and restore of the whole stack, in either way to run.

A backup is a folder of sealed files (zstd, age) and a manifest that says what must be in them. `save` makes one,
`restore` puts one into an empty stack. How a store is reached is the business of a `Place`: `native` or `containers`.
"""
