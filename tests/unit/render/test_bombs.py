"""What is made to hurt a reader is read or refused, never anything else, and needs little memory."""

import tracemalloc

from tests.unit.render.bombs import MANY, SEED, by_hand, by_seed, take

COSTLY = {
    *("JSON: items", "JSON: keys", "a list of everything", "a hundred thousand keys in an object"),
    *("a quoted million in an object", "astral in an object"),
}
MEMORY = 32 * 1024 * 1024


def test_a_hundred_documents_by_hand_are_taken_or_refused_in_little_memory() -> None:
    """`take` lets no other error than ours pass. Memory is watched for those that cost most of it."""
    for bomb in by_hand():
        if bomb[0] not in COSTLY:
            take(bomb)
            continue
        tracemalloc.start()
        try:
            take(bomb)
            assert tracemalloc.get_traced_memory()[1] < MEMORY, bomb[0]
        finally:
            tracemalloc.stop()


def test_a_thousand_documents_by_a_seed_are_taken_or_refused() -> None:
    print(f"seed {SEED}")
    found = [take(bomb) for bomb in by_seed(SEED)]
    assert len(found) == MANY
    assert "taken" in found


def test_another_seed_gives_other_documents() -> None:
    assert list(by_seed(1, 3)) == list(by_seed(1, 3)) != list(by_seed(2, 3))
