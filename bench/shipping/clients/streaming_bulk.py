"""elasticsearch.helpers.streaming_bulk."""

from elasticsearch import Elasticsearch
from elasticsearch.helpers import streaming_bulk

from bench.shipping.clients.protocol import AUTH, BATCH_DOCS, URL, actions, done, wait_for_start


def main() -> None:
    """Ship everything, one batch after the other."""
    client = Elasticsearch(URL, basic_auth=AUTH, request_timeout=120)
    wait_for_start()
    for _ in streaming_bulk(client, actions(), chunk_size=BATCH_DOCS):
        pass
    done()


if __name__ == "__main__":
    main()
