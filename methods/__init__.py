"""What is compared: methods that make a chat model safer."""
