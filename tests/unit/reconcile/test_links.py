"""Addresses for people."""

from downwind.reconcile.links import clusters_page, page_of


def test_the_page_of_a_run_is_decks_and_without_deck_or_run_there_is_none() -> None:
    page = "https://deck.acme.example/#/applications/a%20b/executions/details/01"
    assert page_of("https://deck.acme.example/", "a b", "01") == page
    assert page_of(None, "shop", "01") is None
    assert page_of("https://deck.acme.example", "shop", "") is None


def test_the_page_of_the_clusters_needs_no_run() -> None:
    assert clusters_page("https://deck/", "a b") == "https://deck/#/applications/a%20b/clusters"
    assert clusters_page(None, "shop") is None
