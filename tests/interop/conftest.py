"""What the tests with other people's software share."""

from tests.doors.conftest import no_network

__all__ = ["no_network"]
