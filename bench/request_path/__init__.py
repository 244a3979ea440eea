"""What observability costs a request: CPU time of one worker, beside bare FastAPI and beside what people use today."""
