"""A workload of one's own: locust -f locustfiles/own_workload.py --headless -u 20 -r 10 -t 20s"""

import random

from locust import between

from iam_loadtest.flow.chain import chain
from iam_loadtest.load.plugin import install
from iam_loadtest.load.users import TokenUser

install()


class SessionUser(TokenUser):
    """Logs in, refreshes one to four times, and pauses."""

    workload = "refresh"
    wait_time = between(0.5, 1.5)

    def flow(self, steps, user, held):
        """The requests of one chain."""
        issue, *others = steps
        yield from chain([issue], user, held)
        for _ in range(random.randint(1, 4)):  # noqa: S311  no secret
            yield from chain(others, user, held)
