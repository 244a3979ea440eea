"""The process that archives and deletes expired log indices every night, and its commands.

The policy is `app.core.log_cleanup`. A process of its own, because the right to
read and delete indices is not the shipper's business, and because an hour of
compressing must not slow shipping down. Several may run, on one machine or many:
the lease in Elasticsearch lets one at a time work, and no night be worked twice.
"""
