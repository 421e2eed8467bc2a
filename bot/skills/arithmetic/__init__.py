"""Exact arithmetic with units: text in, value out. Nothing is ever run as code."""
