"""How what happens arrives: told by the gateway, read where nobody listened, or chosen in a menu."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from adapters.backlog import Backlog
from adapters.discord.rest import ASK, EPHEMERAL, OVER, Rest, form
from adapters.discord.updates import PRESS, Translator
from adapters.held import Held, Holding
from adapters.history import History
from bot.channel import Update, UpdateKind
from bot.texts import Texts

Json = dict[str, Any]
FORM, HOLD, ASK_BACK = 5, 5, 9
SUMMARIZED_CHARACTERS = 16_000


@dataclass(slots=True)
class Receiver:
    """One run. The answers to `discreet` commands are read by who gives them alone."""

    rest: Rest
    translator: Translator
    backlog: Backlog
    holding: Holding
    discreet: set[str]
    history: History = field(init=False)

    def hear(self, event: str, raw: Json) -> None:
        """Something happened."""
        match event:
            case "READY":
                servers = [server["id"] for server in raw["guilds"]]
                self.history.begin_session(servers, is_private=raw["shard"][0] == 0)
            case "GUILD_CREATE":
                places = (*raw["channels"], *raw["threads"])
                self.history.found(raw["id"], {each["id"]: int(each.get("last_message_id") or 0) for each in places})
            case "INTERACTION_CREATE":
                self.backlog.spawn(self._choose(raw))
            case _:
                server, channel = raw.get("guild_id", ""), raw.get("channel_id", "")
                for update in self.translator.translate(event, raw):
                    self.backlog.add(update, server, channel)
                if event == "MESSAGE_CREATE":
                    self.history.heard(channel, server, int(raw["id"]))

    async def page(self, channel: str, before: str) -> Sequence[Json]:
        """See `History`."""
        limits = f"limit=100&before={before}" if before else "limit=100"
        messages: list[Json] = await self.rest.call("GET", f"/channels/{channel}/messages?{limits}")
        return messages

    def missed(self, server: str, raw: Json) -> Iterable[Update]:
        """See `History`."""
        return self.translator.translate("MESSAGE_CREATE", raw | ({"guild_id": server} if server else {}))

    async def _choose(self, raw: Json) -> None:
        """Have kept what somebody chose in a menu; then hold a place for the answer."""
        name, texts = raw["data"].get("name", ""), Texts(raw.get("locale", ""))
        if raw["type"] == PRESS:
            await self.backlog.accept(self.translator.translate("INTERACTION_CREATE", raw))
        elif name == Texts("en").get(ASK):
            [target] = raw["data"]["resolved"]["messages"].values()
            await self._answer(raw, {"type": ASK_BACK, "data": form(target, texts)})
        else:
            chosen = self.translator.chosen(raw)
            place = Held(chosen.person.id if name in self.discreet else "", raw["token"])
            said = replace(chosen, **await self._words(raw, raw["data"]), placeholder=place.handle)
            async with self.holding.begin(place):
                await self.backlog.accept([Update(UpdateKind.MESSAGE, said, raw["id"])])
                await self._answer(raw, {"type": HOLD, "data": {"flags": EPHEMERAL if place.person else 0}})

    async def _answer(self, raw: Json, answer: Json) -> None:
        await self.rest.call("POST", f"/interactions/{raw['id']}/{raw['token']}/callback", answer, harmless=OVER)

    async def _words(self, raw: Json, chosen: Json) -> Json:
        """What is asked for by it."""
        if raw["type"] == FORM:
            given = {field["custom_id"]: field["value"] for row in chosen["components"] for field in row["components"]}
            return {"text": given["question"], "quote": given["quote"], "reply_to": chosen["custom_id"]}
        if target := chosen.get("target_id"):
            path = f"/channels/{raw['channel_id']}/messages?limit=100&after={int(target) - 1}"
            said = [self.translator.gateway.message(each) for each in reversed(await self.rest.call("GET", path))]
            lines = [f"{each.author.display_name}: {each.clean_content}" for each in said]
            return {"text": "/summarize", "quote": "\n".join(lines)[:SUMMARIZED_CHARACTERS], "reply_to": target}
        return {"text": " ".join([f"/{chosen['name']}", *(str(each["value"]) for each in chosen.get("options", ()))])}
