"""What holds for every test."""

from hypothesis import HealthCheck, settings

# The same examples in every run. Slow is no failure: the machine that runs the tests is shared, no test asserts a time.
settings.register_profile(
    "downwind", deadline=None, derandomize=True, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("downwind")
