"""The HTTP side: Alertmanager's webhook and the API, the links in messages, the page."""
