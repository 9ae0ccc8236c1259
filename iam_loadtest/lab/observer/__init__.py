"""The observer: a process that asks every server each second how it fares, and writes rows; no trial depends on it."""
