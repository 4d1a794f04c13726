"""A version that somebody adds while `apply` runs is for the next plan: all functions of a run are given the same."""

from typing import Any

from tests.bootstrap.site import Counting, MakeSite
from tests.bootstrap.test_pins import CALLING, TOKEN, add, variables

from downwind.bootstrap.apply import Applying, steps_now


def test_a_version_that_comes_while_apply_runs_waits_for_the_next_plan(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True)
    add(site, "gate-token", 2)
    cloud = site.cloud()
    steps = steps_now(site.plan, cloud)

    def tell(line: str) -> None:
        if "done" in line:
            add(site, "gate-token", 3)

    more: Any = {"parallel": 1, "sleep": lambda _: None}
    assert Applying(site.plan, Counting(cloud, site.helm), tell, **more).run(steps).failed == {}
    assert {variables(site, name)[TOKEN] for name in CALLING} == {"gate-token/versions/2"}
    assert site.due() == [f"change function/{name}" for name in CALLING]
