"""One file for each system that we talk to, and an in-memory twin of each."""
