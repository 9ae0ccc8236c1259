"""The locustfile of one trial: started by the scenario runner as one master and N workers, never by hand."""

from locust import runners

from iam_loadtest.load.plugin import install_trial
from iam_loadtest.load.probe_user import ProbeUser
from iam_loadtest.load.users import WorkloadUser

runners.WORKER_REPORT_INTERVAL = 1.0  # seconds; the progress is of the last second, not of the last three
runners.MASTER_HEARTBEAT_TIMEOUT = 10  # seconds; workers end soon after their master is gone
runners.CONNECT_TIMEOUT = 1  # seconds; a worker asks so often whether its master is there
runners.CONNECT_RETRY_COUNT = 300

install_trial()

__all__ = ["ProbeUser", "WorkloadUser"]
