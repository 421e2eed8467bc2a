"""A bot on Discord; `adapters.discord.adapter` is where it begins."""
