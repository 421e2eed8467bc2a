"""Comparisons side by side in one run; each prints medians and ratios. See README.md."""
