"""The locustfile of trials, for machines that are busy: a worker that is short of a core is late, not lost."""

from locust import runners

from iam_loadtest.load.trial_locustfile import ProbeUser, WorkloadUser

runners.HEARTBEAT_LIVENESS = 30  # seconds

__all__ = ["ProbeUser", "WorkloadUser"]
