"""The shared servers, for the tests of the locustfiles."""

from tests.load.servers import fake, iam

__all__ = ["fake", "iam"]
