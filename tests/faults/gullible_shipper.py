"""A negative control: a shipper that takes every answer for a success. The kill loop must catch it."""

import sys

from app.clients.elasticsearch import BulkClient
from app.shipper.__main__ import main

if __name__ == "__main__":
    send = BulkClient.send

    def _send_and_believe(self: BulkClient, *words: bytes | str) -> tuple[int, bytes]:
        status, answer = send(self, *words)  # type: ignore[arg-type]
        return (status, answer) if status < 400 else (200, b'{"errors":false}')

    BulkClient.send = _send_and_believe  # type: ignore[method-assign,assignment]
    sys.exit(main())
