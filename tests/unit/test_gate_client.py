"""Gate's client before anything is sent."""

import pytest

from downwind.adapters.gate_client import GateClient
from downwind.errors import Refused


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_would_lead_to_another_route_is_refused_before_anything_is_sent(name: str) -> None:
    client = GateClient("http://127.0.0.1:9/gate")
    with pytest.raises(Refused, match="no address"):
        client.read(["applications", name])
    client.close()
