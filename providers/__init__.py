"""Identity providers that others wrote, installed, configured and started on this machine: ``python -m providers``."""
