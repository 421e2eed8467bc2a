"""Abilities: one small file each."""
