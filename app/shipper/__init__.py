"""The shipper: reads the spool and brings every record to Elasticsearch exactly once.

Promise
    Each line that a writer put into the spool is in Elasticsearch once, or in the
    dead-letter index once with a reason, whatever is killed, stopped or full in
    between. Delivery is at least once; the `_id` of a document is made from
    writer, segment and byte offset, so that a second delivery is refused as a
    duplicate instead of stored.

Way of a record
    `segments` finds and reads the files, `batch` copies their lines into a bulk
    body without parsing them, `deliver` sends it and goes by the `verdicts` on
    each item until every line is indexed or a dead letter, `positions` remembers
    durably what is done, and only then is a finished segment removed.

Imports `app.core` and `app.clients` only.
"""
