"""Cloud Storage for the local world: the JSON API as google-cloud-storage uses it, on sqlite."""

from downwind.local.storage.server import StorageServer

__all__ = ["StorageServer"]
