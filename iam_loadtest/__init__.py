"""Load testing of OIDC token workflows: throughput, latency percentiles and failures, compared across topologies."""

__version__ = "0.1.0"
