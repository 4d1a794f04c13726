"""From the wire to an event: the envelope, the proof of the sender, the limits, and one parser a source. Pure."""
