"""The built-in IAM: a stand-in that answers as INDIGO IAM does, so that a load test needs nothing else."""
