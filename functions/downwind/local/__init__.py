"""The world on a laptop: each part speaks the real protocol, on loopback, in a process of its own. Not uploaded.

A part is a class with `start()` (serves in threads, sets `port`), `stop()`, and a folder for what must survive a kill -9.
Nothing outside this folder imports it but the command line and the pytest plugin.
"""
