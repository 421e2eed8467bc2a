"""Forms with something wrong in them, made at random: the Discord server refuses or takes each, and falls over none."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import httpx

from tests.servers.discord_client import Scene

Path = tuple[str | int, ...]
REQUESTS = 400
LEAVES: tuple[Any, ...] = (
    *(None, True, 0, 1, -1, 64, 2**70, 1.5, "", "x", "a" * 2001, "@original", "🙂"),
    *([], {}, [[]], [{}], [None], {"id": {}}, ["x"]),
)
BUTTON = {"type": 2, "style": 1, "label": "l", "custom_id": "c", "emoji": {"name": "🙂"}, "disabled": False}
OPTION = {"label": "a", "value": "b", "description": "d", "emoji": {"name": "🙂"}, "default": True}
MENU = {"type": 3, "custom_id": "s", "options": [OPTION], "placeholder": "p", "min_values": 0, "max_values": 1}
EMBED = {"title": "t", "url": "https://example.org", "footer": {"text": "f"}, "fields": [{"name": "n", "value": "v"}]}
MESSAGE: dict[str, Any] = {
    "content": "x",
    "tts": False,
    "flags": 4,
    "embeds": [EMBED],
    "components": [{"type": 1, "components": [BUTTON]}, {"type": 1, "components": [MENU]}],
    "allowed_mentions": {"parse": ["users"], "roles": ["1"], "users": [], "replied_user": False},
    "attachments": [],
}
CHOICES = [{"name": "a", "value": "b"}]
ARGUMENT = {"type": 3, "name": "q", "description": "d", "required": True, "choices": CHOICES, "min_length": 1}
COMMAND = {"name": "ask", "description": "d", "type": 1, "options": [ARGUMENT], "name_localizations": {"de": "frag"}}


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every place in a value but its root."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in pairs:
        yield (*path, step)
        yield from places(inner, (*path, step))


def mutated(value: Any, chance: random.Random) -> Any:
    """A copy with one to three places missing or of another kind."""
    value = copy.deepcopy(value)
    for _ in range(chance.randint(1, 3)):
        *way, last = chance.choice(list(places(value)) or [("content",)])
        place = value
        for step in way:
            place = place[step]
        if isinstance(place, dict) and chance.random() < 0.2:
            place.pop(last, None)
        else:
            place[last] = copy.deepcopy(chance.choice(LEAVES))
    return value


async def test_no_form_makes_the_server_or_the_client_fall_over(scene: Scene) -> None:
    chance = random.Random(11)
    bot, general = scene.server.bot(), scene.general
    sent = await scene.channel.send("Hello")
    place = f"/channels/{general.id}"
    reply = MESSAGE | {"nonce": "1", "message_reference": {"message_id": str(sent.id)}}
    headers = {"Authorization": f"Bot {scene.server.token}"}
    async with httpx.AsyncClient(base_url=scene.server.api_url, headers=headers) as raw:
        for _ in range(REQUESTS // 5):
            data = {"custom_id": "c", "component_type": 2}
            message = general.messages[sent.id]
            press = scene.server.interactions.begin(bot, general, scene.ann.account, kind=3, data=data, message=message)
            webhook = f"/webhooks/{bot.id}/{press.token}"
            response = {"type": chance.choice([4, 5, 6, 7]), "data": MESSAGE}
            for method, path, body in (
                ("POST", f"{place}/messages", reply),
                ("PATCH", f"{place}/messages/{sent.id}", MESSAGE),
                ("POST", f"/interactions/{press.id}/{press.token}/callback", response),
                ("POST", webhook, MESSAGE | {"flags": 64}),
                ("PUT", f"/applications/{bot.id}/commands", [COMMAND]),
            ):
                answer = await raw.request(method, path, json=mutated(body, chance))
                assert answer.status_code != 500
    assert set(scene.server.statistics().refusals) <= {400, 404, 501}
    await scene.channel.send("Still here")
    assert scene.client.is_ready()
