"""The load room: what runs inside Locust's processes.

For a locustfile of your own:

- ``iam_loadtest.load.plugin.install()`` adds the options, the samples and the health probe to a Locust run;
- ``iam_loadtest.load.users`` holds ``AccessTokenUser``, ``RefreshTokenUser``, ``TokenExchangeUser`` and
  ``WorkloadUser`` (runs the workload that ``--workload`` names); subclass ``TokenUser`` for another workload, as
  ``locustfiles/own_workload.py`` does and docs/locustfiles.md explains;
- ``iam_loadtest.load.transport.Transport`` is what sends requests; ``iam_loadtest.load.http_transport`` the one used.

The scenario runner starts ``iam_loadtest/load/trial_locustfile.py`` instead, one master and N workers a trial.
Importing this package alone imports neither Locust nor gevent.
"""
