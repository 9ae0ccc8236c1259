"""Numbers from samples: per trial exact, over trials on the log scale. Reads a run, writes and draws nothing."""
