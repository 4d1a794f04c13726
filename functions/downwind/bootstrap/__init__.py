"""From an empty Google Cloud project to an installation, and back. Wanted state is data (infra/wanted); this reads it,
compares it with the cloud, and says or does what is missing. No function imports it, and an upload leaves it out."""
