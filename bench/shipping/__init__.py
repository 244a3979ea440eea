"""What it costs to bring log lines into Elasticsearch: our shipper, the raw ceiling, and other people's shippers.

One real, private Elasticsearch with one shard and no replica; each shipper begins with
an index that doesn't exist, two connections and batches of 4,000 where it can be told.
"""
