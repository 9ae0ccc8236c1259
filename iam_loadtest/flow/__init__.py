"""Workloads as flows: generators that yield requests and receive tokens, and what their answers come to."""
