"""The simulated voice and suggestion service: a second process, so that ids and traces cross a network.

It fails, dawdles and hangs as its knobs ask. Imports `app.core` only.
"""
