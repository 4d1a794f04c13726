"""A shop so small that only its prices matter."""
