"""The on-call service: takes alerts, tells somebody, and goes on telling until somebody answers.

Alertmanager posts to `intake`, which keeps incidents in the database. `escalation`
decides when the next level hears of it, `delivery` brings messages out through the
`channels`, one careful step at a time, so that a process that is killed anywhere
loses no page. Times are seconds since the epoch, in UTC.
"""
