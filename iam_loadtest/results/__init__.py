"""What a run leaves on disk: samples, trials, the run's directory."""
