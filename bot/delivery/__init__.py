"""What happens to a reply on its way out: formatted, split, paced and delivered."""
