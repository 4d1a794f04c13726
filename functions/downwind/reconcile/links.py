"""Addresses for people."""

from urllib.parse import quote


def page_of(deck: str | None, pipeline_application: str, execution: str | None) -> str | None:
    """Deck's address of one run; None where there is no Deck or no run yet."""
    if not deck or not execution:
        return None
    place = f"{quote(pipeline_application, safe='')}/executions/details/{quote(execution, safe='')}"
    return f"{deck.rstrip('/')}/#/applications/{place}"


def clusters_page(deck: str | None, pipeline_application: str) -> str | None:
    """Deck's page of that application's clusters; None where there is no Deck."""
    if not deck:
        return None
    return f"{deck.rstrip('/')}/#/applications/{quote(pipeline_application, safe='')}/clusters"
