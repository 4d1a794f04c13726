"""Pub/Sub on a laptop: Google's gRPC and REST v1 API over sqlite, with real HTTP push. See docs/reference/local-pubsub.md."""

from downwind.local.pubsub.broker import Broker

__all__ = ["Broker"]
