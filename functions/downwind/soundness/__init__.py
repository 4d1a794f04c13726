"""Is an installation sound? Pure checks of what was read of it, each finding with its fix. `downwind verify` reads and prints."""
