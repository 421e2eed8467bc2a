"""Every route of the REST API that the server knows, by a name that faults, limits and statistics go by."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from tests.servers import discord_channels as channels
from tests.servers import discord_interactions as interactions
from tests.servers.discord_checks import Form, refused
from tests.servers.discord_commands import register, register_all
from tests.servers.discord_gateway import application_flags
from tests.servers.discord_wire import Call
from tests.servers.discord_world import MEMBERS

Json = dict[str, Any]
Answer = tuple[int, Any]


# -- the bot itself, people and guilds ----------------------------------------------------------------------


def get_me(call: Call) -> Answer:
    """GET /users/@me."""
    return 200, call.bot.account.wire() | {"verified": True, "mfa_enabled": False, "email": None, "flags": 0}


def get_user(call: Call) -> Answer:
    """GET /users/{user}."""
    account = call.world.accounts.get(call.id("user"))
    if account is None or account.is_webhook:
        raise refused(10013)
    return 200, account.wire()


def get_application(call: Call) -> Answer:
    """GET /oauth2/applications/@me."""
    owner = next((guild.owner for guild in call.world.guilds.values()), call.bot.account)
    return 200, {
        "id": str(call.bot.id),
        "name": call.bot.account.name,
        "icon": None,
        "description": "",
        "summary": "",
        "bot_public": True,
        "bot_require_code_grant": False,
        "owner": owner.wire(),
        "team": None,
        "verify_key": "0" * 64,
        "flags": application_flags(call.bot.granted),
        "approximate_guild_count": sum(call.bot.id in guild.members for guild in call.world.guilds.values()),
        "interactions_endpoint_url": None,
        "integration_types_config": {"0": {}},
    }


def get_gateway(call: Call) -> Answer:
    """GET /gateway/bot."""
    limit = {"total": 1000, "remaining": 999, "reset_after": 14_400_000, "max_concurrency": 1}
    address = call.world.url.replace("http", "ws", 1) + "/gateway"
    return 200, {"url": address, "shards": call.world.shards, "session_start_limit": limit}


def get_dms(call: Call) -> Answer:
    """GET /users/@me/channels: bots are not told."""
    return 200, []


def create_dm(call: Call) -> Answer:
    """POST /users/@me/channels."""
    form = Form(call.body, strict=call.world.strict)
    body = form.fields((), call.body, {"recipient_id"}, required=("recipient_id",))
    number = form.snowflake(("recipient_id",), body.get("recipient_id", "0"))
    form.finish()
    person = call.world.accounts.get(number)
    if person is None:
        raise refused(10013)
    if person.is_bot:
        raise refused(50007)
    return 200, call.world.make_dm(call.bot, person).wire()


def get_guilds(call: Call) -> Answer:
    """GET /users/@me/guilds."""
    guilds = [guild for guild in call.world.guilds.values() if call.bot.id in guild.members]
    return 200, [
        {
            "id": str(guild.id),
            "name": guild.name,
            "icon": None,
            "owner": False,
            "permissions": str(guild.permissions(call.bot.id)),
            "features": [],
        }
        for guild in guilds
    ]


def get_guild(call: Call) -> Answer:
    """GET /guilds/{guild}."""
    guild = call.world.reach_guild(call.bot, call.id("guild"))
    return 200, guild.wire() | {"approximate_member_count": len(guild.members), "approximate_presence_count": 1}


def get_guild_channels(call: Call) -> Answer:
    """GET /guilds/{guild}/channels."""
    guild = call.world.reach_guild(call.bot, call.id("guild"))
    return 200, [each.wire() for each in guild.channels.values() if not each.is_thread]


def get_roles(call: Call) -> Answer:
    """GET /guilds/{guild}/roles."""
    return 200, [role.wire() for role in call.world.reach_guild(call.bot, call.id("guild")).roles.values()]


def get_member(call: Call) -> Answer:
    """GET /guilds/{guild}/members/{user}."""
    guild = call.world.reach_guild(call.bot, call.id("guild"))
    number = call.id("user")
    if number not in guild.members:
        raise refused(10007 if number in call.world.accounts else 10013)
    return 200, guild.members[number].wire()


def get_members(call: Call) -> Answer:
    """GET /guilds/{guild}/members: only with the privileged intent."""
    guild = call.world.reach_guild(call.bot, call.id("guild"))
    if not call.bot.granted & MEMBERS:
        raise refused(50001)
    limit, after = call.number("limit", 1, least=1, most=1000), call.number("after", 0, least=0, most=2**64)
    return 200, [guild.members[number].wire() for number in sorted(guild.members) if number > after][:limit]


def get_active_threads(call: Call) -> Answer:
    """GET /guilds/{guild}/threads/active."""
    guild = call.world.reach_guild(call.bot, call.id("guild"))
    threads = [each for each in guild.threads if call.world.sees(call.bot.id, each)]
    wired = [each.wire(me=call.bot.id) for each in threads]
    return 200, {"threads": wired, "members": [each["member"] for each in wired if "member" in each]}


def leave_guild(call: Call) -> Answer:
    """DELETE /users/@me/guilds/{guild}."""
    call.world.leave(call.world.reach_guild(call.bot, call.id("guild")), call.bot.account)
    return 204, None


# -- commands -----------------------------------------------------------------------------------------------


def get_commands(call: Call) -> Answer:
    """GET /applications/{application}[/guilds/{guild}]/commands."""
    return 200, call.bot.commands.get(_scope(call), [])


def put_commands(call: Call) -> Answer:
    """PUT /applications/{application}[/guilds/{guild}]/commands."""
    return 200, register_all(call.world, call.bot, _scope(call), call.body)


def post_command(call: Call) -> Answer:
    """POST /applications/{application}[/guilds/{guild}]/commands."""
    scope = _scope(call)
    before = {each["id"] for each in call.bot.commands.get(scope, [])}
    made = register(call.world, call.bot, scope, call.body)
    return 200 if made["id"] in before else 201, made


def _scope(call: Call) -> int:
    if call.id("application") != call.bot.id:
        raise refused(50001)
    return call.world.reach_guild(call.bot, call.id("guild")).id if "guild" in call.path else 0


# -- the table ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Route:
    """One route. With `apart` it needs no token and does not count towards the global limit."""

    name: str
    method: str
    pattern: re.Pattern[str]
    answer: Callable[[Call], Answer]
    major: str
    apart: bool = False

    def match(self, method: str, raw_path: str) -> dict[str, str] | None:
        """The parts of a path that fits."""
        found = self.pattern.fullmatch(raw_path) if method == self.method else None
        return None if found is None else {name: unquote(value) for name, value in found.groupdict().items()}


def _route(method: str, path: str, name: str, answer: Callable[[Call], Answer]) -> Route:
    pattern = re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path))
    major = next((each for each in ("channel", "guild", "token") if f"{{{each}}}" in path), "")
    return Route(name, method, pattern, answer, major, apart="{token}" in path)


_MESSAGE = "/channels/{channel}/messages/{message}"
_REACTION = f"{_MESSAGE}/reactions/{{emoji}}"
_COMMANDS = "/applications/{application}/commands"
_GUILD_COMMANDS = "/applications/{application}/guilds/{guild}/commands"
_RESPONSE = "/webhooks/{application}/{token}/messages/{message}"

ROUTES = (
    _route("GET", "/users/@me", "get_me", get_me),
    _route("GET", "/users/@me/guilds", "get_guilds", get_guilds),
    _route("DELETE", "/users/@me/guilds/{guild}", "leave_guild", leave_guild),
    _route("GET", "/users/@me/channels", "get_dms", get_dms),
    _route("POST", "/users/@me/channels", "create_dm", create_dm),
    _route("GET", "/users/{user}", "get_user", get_user),
    _route("GET", "/oauth2/applications/@me", "get_application", get_application),
    _route("GET", "/gateway/bot", "get_gateway", get_gateway),
    _route("GET", "/guilds/{guild}", "get_guild", get_guild),
    _route("GET", "/guilds/{guild}/channels", "get_guild_channels", get_guild_channels),
    _route("GET", "/guilds/{guild}/roles", "get_roles", get_roles),
    _route("GET", "/guilds/{guild}/members", "get_members", get_members),
    _route("GET", "/guilds/{guild}/members/{user}", "get_member", get_member),
    _route("GET", "/guilds/{guild}/threads/active", "get_active_threads", get_active_threads),
    _route("GET", "/channels/{channel}", "get_channel", channels.get_channel),
    _route("PATCH", "/channels/{channel}", "change_channel", channels.change_channel),
    _route("DELETE", "/channels/{channel}", "delete_channel", channels.delete_channel),
    _route("POST", "/channels/{channel}/typing", "typing", channels.typing),
    _route("GET", "/channels/{channel}/messages", "history", channels.history),
    _route("POST", "/channels/{channel}/messages", "create_message", channels.create_message),
    _route("POST", "/channels/{channel}/messages/bulk-delete", "bulk_delete", channels.bulk_delete),
    _route("GET", _MESSAGE, "get_message", channels.get_message),
    _route("PATCH", _MESSAGE, "edit_message", channels.edit_message),
    _route("DELETE", _MESSAGE, "delete_message", channels.delete_message),
    _route("GET", _REACTION, "get_reactions", channels.get_reactions),
    _route("PUT", f"{_REACTION}/@me", "add_reaction", channels.add_reaction),
    _route("DELETE", f"{_REACTION}/{{user}}", "remove_reaction", channels.remove_reaction),
    _route("POST", "/channels/{channel}/threads", "create_thread", channels.create_thread),
    _route("GET", "/channels/{channel}/threads/archived/{kind}", "get_archived", channels.get_archived_threads),
    _route("POST", f"{_MESSAGE}/threads", "create_thread", channels.create_thread_from_message),
    _route("PUT", "/channels/{channel}/thread-members/@me", "join_thread", channels.join_thread),
    _route("DELETE", "/channels/{channel}/thread-members/@me", "leave_thread", channels.leave_thread),
    _route("GET", _COMMANDS, "get_commands", get_commands),
    _route("PUT", _COMMANDS, "put_commands", put_commands),
    _route("POST", _COMMANDS, "post_command", post_command),
    _route("GET", _GUILD_COMMANDS, "get_commands", get_commands),
    _route("PUT", _GUILD_COMMANDS, "put_commands", put_commands),
    _route("POST", _GUILD_COMMANDS, "post_command", post_command),
    _route("POST", "/interactions/{interaction}/{token}/callback", "answer", interactions.answer),
    _route("POST", "/webhooks/{application}/{token}", "follow_up", interactions.follow_up),
    _route("GET", _RESPONSE, "get_response", interactions.get_response),
    _route("PATCH", _RESPONSE, "edit_response", interactions.edit_response),
    _route("DELETE", _RESPONSE, "delete_response", interactions.delete_response),
)
NAMES = frozenset(route.name for route in ROUTES) | {"download"}
