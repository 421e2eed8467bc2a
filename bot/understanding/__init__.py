"""What a message asks for, before anything is generated."""
