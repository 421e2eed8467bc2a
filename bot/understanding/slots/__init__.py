"""Slots: what a message says of times, amounts, people and the like, as values. See `extract`."""
