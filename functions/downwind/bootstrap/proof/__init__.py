"""Does an installation work, and does what must not work fail? Each check says so by itself, or why it could not be made."""
