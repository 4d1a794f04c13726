"""A fake of Google's REST APIs that keeps state, for the real gcloud and for our own requests."""
