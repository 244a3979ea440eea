"""The ceiling: bodies that were encoded beforehand, plain http.client, two connections, the answer looked at for errors only.

With AUTO_IDS in the environment Elasticsearch makes the ids, which is what it likes best.
"""

import base64
import http.client
import os
import threading
from queue import Empty, SimpleQueue
from urllib.parse import urlsplit

from app.clients.elasticsearch import BULK_ANSWER
from bench.shipping.clients.protocol import AUTH, BATCH_DOCS, CONNECTIONS, INDEX, SEGMENTS, URL, done, lines, wait_for_start


def bodies() -> "SimpleQueue[bytes]":
    """All bodies, ready to be sent."""
    queue: SimpleQueue[bytes] = SimpleQueue()
    with_ids = not os.environ.get("AUTO_IDS")
    parts: list[bytes] = []
    for segment in SEGMENTS:
        for ident, line in lines(segment):
            parts.append(b'{"create":{"_id":"%s"}}\n' % ident.encode() if with_ids else b'{"create":{}}\n')
            parts.append(line)
            if len(parts) >= 2 * BATCH_DOCS:
                queue.put(b"".join(parts))
                parts.clear()
    if parts:
        queue.put(b"".join(parts))
    return queue


def send(queue: "SimpleQueue[bytes]", failures: list[str]) -> None:
    """One connection."""
    address = urlsplit(URL)
    connection = http.client.HTTPConnection(str(address.hostname), address.port or 80, timeout=120)
    sign_in = base64.b64encode(":".join(AUTH).encode()).decode()
    headers = {"content-type": "application/x-ndjson", "authorization": f"Basic {sign_in}"}
    while not failures:
        try:
            body = queue.get_nowait()
        except Empty:
            return
        connection.request("POST", f"/{INDEX}/_bulk?filter_path={BULK_ANSWER}", body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200 or not text.startswith(b'{"errors":false'):
            failures.append(text[:300].decode("utf-8", "replace"))


def main() -> None:
    """Ship everything."""
    queue, failures = bodies(), list[str]()
    wait_for_start()
    threads = [threading.Thread(target=send, args=(queue, failures)) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(f"Elasticsearch refused: {failures[0]}")
    done()


if __name__ == "__main__":
    main()
