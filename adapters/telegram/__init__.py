"""A bot on Telegram; `adapters.telegram.adapter` is where it begins."""
