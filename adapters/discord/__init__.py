"""A bot on Discord; `adapters.discord.adapter` is where it begins."""

import warnings

with warnings.catch_warnings():  # it imports a module for sound that Python has given up
    warnings.simplefilter("ignore", DeprecationWarning)
    from discord import VoiceClient

VoiceClient.warn_nacl = VoiceClient.warn_dave = False  # sound is not used
