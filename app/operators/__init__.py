"""The operators' view of the whole installation."""
