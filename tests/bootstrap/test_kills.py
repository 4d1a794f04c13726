"""Runs that end: after every single write of `apply` and of `destroy`, in all three configurations, with our own requests.
Another run ends the same, and nothing is made twice. What leaves the data of the smallest and of the one beside an existing
cluster is left to --long."""

import pytest
from tests.bootstrap.conftest import NAMES
from tests.bootstrap.site import Killed, MakeSite, Site

ALL = [pytest.param(each, 1, marks=pytest.mark.long) for each in NAMES]
WITHOUT_DATA = [pytest.param(each, False, marks=pytest.mark.long) for each in NAMES if each != "standard"]


def made(site: Site) -> list[tuple[str, str, str, str]]:
    """Requests that make something, each with its body: buckets and accounts are made by a POST to their collection."""
    return [
        (each["method"], each["path"], str(each["query"]), str(each["body"]))
        for each in site.google.state.log
        if each["method"] in {"POST", "PUT"}
        and each["status"] == 200
        and not each["path"].endswith((":getIamPolicy", ":setIamPolicy", "/iam", ":generateServiceIdentity"))
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_run_that_ends_after_each_of_its_writes_is_gone_on_with(make_site: MakeSite, name: str) -> None:
    """As many runs as there are writes: each does one, and is killed."""
    whole = make_site(name)
    whole.apply()
    expected, writes = whole.everything(), whole.written
    site = make_site(name)
    runs = 0
    while runs <= writes:
        try:
            site.apply(limit=1)
        except Killed:
            runs += 1
            continue
        break
    assert runs == writes
    assert site.everything() == expected
    assert site.due() == []
    assert len(made(site)) == len(set(made(site)))


@pytest.mark.parametrize(("name", "stride"), [(NAMES[0], 7), *ALL])
def test_killed_once_after_any_write_the_next_run_ends_the_same_and_makes_nothing_twice(
    make_site: MakeSite, name: str, stride: int
) -> None:
    """One run to its n-th write and one to the end, for every n (--long), or every seventh."""
    whole = make_site(name)
    whole.apply()
    expected = whole.everything()
    at = 1 - stride
    while True:
        at += stride
        site = make_site(name)
        try:
            site.apply(limit=at)
        except Killed:
            assert site.apply().failed == {}, at
            assert site.everything() == expected, at
            assert len(made(site)) == len(set(made(site))), at
            assert site.due() == [], at
            continue
        break
    assert at > 40


@pytest.mark.parametrize(("name", "with_data"), [*((each, True) for each in NAMES), ("standard", False), *WITHOUT_DATA])
def test_a_destroy_that_ends_after_each_of_its_writes_is_gone_on_with(
    make_site: MakeSite, name: str, with_data: bool
) -> None:
    whole = make_site(name, applied=True)
    whole.destroy(with_data=with_data)
    expected = whole.everything()
    site = make_site(name, applied=True)
    runs = 0
    while runs < 300:
        try:
            site.destroy(with_data=with_data, limit=1)
        except Killed:
            runs += 1
            continue
        break
    assert runs > 10
    assert site.everything() == expected
