"""Any workload, chosen by --workload or in the web UI; all of them in equal shares where none is chosen."""

from iam_loadtest.load.plugin import install
from iam_loadtest.load.users import WorkloadUser

install()

__all__ = ["WorkloadUser"]
