"""What is asked for: the scenario file, the plan made of it, and what one trial is told."""
