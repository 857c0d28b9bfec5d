"""What all tests share."""

import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

import contract

# Machines that test are shared and slow at times: only wrong answers fail, not late ones.
settings.register_profile("gmmcli", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gmmcli")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test that names a statement of the contract that there is not."""
    if wrong := contract.unknown_ids(items):
        raise pytest.UsageError("\n".join(wrong))


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let children get SIGINT: a shell that started the tests in the background turned it off."""
    old = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, old)
