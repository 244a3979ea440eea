"""What a process can be made to suffer from inside, without a line of its own changed."""
