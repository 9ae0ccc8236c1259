"""The protocol: forms, client authentication, metadata, answers. No I/O."""
