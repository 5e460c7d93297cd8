"""Owners: whether the process that holds a delivery still lives."""

import os
import socket
import subprocess
import sys

import pytest

from newsletter.delivery.owner import is_dead_owner, load_owner


def test_this_process_lives() -> None:
    owner = load_owner("1f")
    assert owner.startswith(f"{socket.gethostname()}/")
    assert f":{os.getpid()}:" in owner
    assert owner.endswith("/1f")
    assert not is_dead_owner(owner)


def test_a_process_that_ended_is_dead_even_before_its_parent_notices() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    start = load_owner("1f").replace(f":{os.getpid()}:", f":{child.pid}:").partition(f":{child.pid}:")
    living = f"{start[0]}:{child.pid}:-/1f"
    assert not is_dead_owner(living)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, and not yet reaped
    assert is_dead_owner(living)
    child.communicate()
    assert is_dead_owner(living)


def test_another_process_with_the_same_number_is_not_the_owner() -> None:
    place, number, rest = load_owner("1f").rsplit(":", 2)
    assert is_dead_owner(f"{place}:{number}:{int(rest.partition('/')[0]) - 1}/1f")


def test_nobody_of_another_machine_is_called_dead() -> None:
    assert not is_dead_owner("elsewhere/[4026531836]:1:1/1f")


@pytest.mark.parametrize("owner", ["", ":", "::", "host", f"{load_owner('x').partition(':')[0]}:what:1/x"])
def test_what_is_no_owner_is_not_called_dead(owner: str) -> None:
    assert not is_dead_owner(owner)
