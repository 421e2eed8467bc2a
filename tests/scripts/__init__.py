"""Tests of the scripts that set a checkout up."""
