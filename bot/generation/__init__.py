"""Language models: found, installed, run."""
