"""Whether the cost stays flat: more writers, a larger backlog, a backlog that is drained while requests are served."""
