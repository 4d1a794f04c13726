"""The pytest plugin: the fixture `downwind_world` gives tests a whole world on loopback."""
