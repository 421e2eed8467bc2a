"""What a prompt holds of what was said before."""
