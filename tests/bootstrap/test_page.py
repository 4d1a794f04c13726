"""docs/how-to/install.md names exactly the identities and rights of the standard configuration (UPDATE_GOLDEN=1 writes them)."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from downwind.bootstrap.plan import Plan

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "install.md"
HEAD = "| who | may | on |\n| --- | --- | --- |\n"


def rows(plan: Plan) -> Iterator[str]:
    short = {plan.values.member(each.id): each.id for each in plan.resources if each.kind == "account"}
    found: dict[tuple[str, str], list[str]] = {}
    for resource in plan.resources:
        for grant in resource.grants:
            for member in grant.members:
                who = short.get(
                    member, member.replace(plan.values.number, "NUMBER").replace(plan.values.project, "PROJECT")
                )
                role = grant.role.removeprefix("roles/").replace(plan.values.project, "PROJECT")
                place = resource.id.replace(plan.values.project, "PROJECT")
                found.setdefault((who, role), []).append(f"{place}, conditioned" if grant.condition else place)
    for (who, role), places in sorted(found.items()):
        yield f"| `{who}` | `{role}` | {', '.join(sorted(places))} |"


def test_the_page_names_every_right(standard: Plan) -> None:
    table = HEAD + "\n".join(rows(standard)) + "\n"
    text = PAGE.read_text()
    if os.environ.get("UPDATE_GOLDEN") == "1":
        text = re.sub(re.escape(HEAD) + r"(?:[^\n]+\n)+", lambda _: table, text)
        PAGE.write_text(text)
    assert table in text
