"""The gateway: nginx in front of the app and of every page, the only listener that may be opened to others."""
