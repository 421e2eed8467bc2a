"""Thin translations between the engine and where people talk."""
