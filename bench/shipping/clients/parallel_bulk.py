"""elasticsearch.helpers.parallel_bulk."""

from elasticsearch import Elasticsearch
from elasticsearch.helpers import parallel_bulk

from bench.shipping.clients.protocol import AUTH, BATCH_DOCS, CONNECTIONS, URL, actions, done, wait_for_start


def main() -> None:
    """Ship everything."""
    client = Elasticsearch(URL, basic_auth=AUTH, request_timeout=120)
    wait_for_start()
    for _ in parallel_bulk(client, actions(), thread_count=CONNECTIONS, chunk_size=BATCH_DOCS):
        pass
    done()


if __name__ == "__main__":
    main()
