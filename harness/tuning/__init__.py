"""Fair tuning: search a method's declared settings on dev prompts, under an equal budget for every method."""
