"""Passwords as hashes."""

from newsletter.operators.passwords import hash_password, is_outdated, verify_password
from tests.web.scenery import hash_cheaply


def test_a_password_is_hashed_as_rfc_9106_says_and_found_again() -> None:
    kept = hash_password("cafe\u0301 au lait, please")
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert not is_outdated(kept)
    assert verify_password(kept, "caf\u00e9 au lait, please")
    assert not verify_password(kept, "caf\u00e9 au lait, pleas")


def test_what_is_no_hash_fits_no_password_and_a_weaker_one_is_outdated() -> None:
    assert not verify_password("$argon2id$", "")
    assert not verify_password("", "")
    assert is_outdated(hash_cheaply())
