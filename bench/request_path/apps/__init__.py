"""The measured applications: the same two endpoints, each with another kit around them. None imports another's."""
