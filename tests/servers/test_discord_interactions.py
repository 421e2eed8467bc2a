"""The Discord server's interactions: commands, buttons and menus, and what people see of the answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import discord
import pytest
from discord import app_commands, ui

from tests.servers.discord_client import Listener, Scene, staged
from tests.servers.discord_server import DiscordServer

# -- commands -----------------------------------------------------------------------------------------------


class Commanding(Listener):
    """A client with commands: /ask, /model set, and "Explain" on messages."""

    def __init__(self) -> None:
        super().__init__()
        self.tree = app_commands.CommandTree(self)
        self.tree.command(name="ask", description="Ask something")(self.ask)
        group = app_commands.Group(name="model", description="The model")
        group.command(name="set", description="Choose one")(self.choose)
        self.tree.add_command(group)
        self.tree.add_command(app_commands.ContextMenu(name="Explain", callback=self.explain))

    async def setup_hook(self) -> None:
        """Register the commands before anything is heard."""
        await self.tree.sync()

    async def ask(self, interaction: discord.Interaction, question: str, loud: bool = False) -> None:
        """Answer, for one person's eyes unless it is loud."""
        locale = interaction.locale.value
        await interaction.response.send_message(f"{question} ({locale})", ephemeral=not loud)

    async def choose(self, interaction: discord.Interaction, count: app_commands.Range[int, 1, 9]) -> None:
        """Take time, then answer."""
        await interaction.response.defer(thinking=True)
        await interaction.followup.send(f"Model {count}")
        await interaction.followup.send("Anything else?", ephemeral=True)

    async def explain(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """Answer about a message."""
        await interaction.response.send_message(f"{message.author.display_name} said {message.content!r}")


@pytest.fixture
async def commands() -> AsyncIterator[Scene]:
    async with DiscordServer(limits=None) as server, staged(server, Commanding()) as running:
        yield running


async def test_an_ephemeral_answer_is_seen_by_one_person(commands: Scene) -> None:
    bob = commands.server.person("Bob", locale="de")
    commands.ann.invites(commands.guild, bob.account)
    bob.uses(commands.general, "ask", question="Warum?")
    screen = commands.server.screen
    await commands.server.wait_until(lambda: screen.from_bots(commands.general, person=bob) == ["Warum? (de)"])
    assert screen(commands.general, person=commands.ann) == []
    assert screen.text(commands.general, person=bob) == "Parley (only for you): Warum? (de)"
    await commands.until("message")  # the bot hears of it as if it were a direct message


async def test_a_command_may_be_answered_for_all_to_see(commands: Scene) -> None:
    commands.ann.uses(commands.general, "ask", question="Why?", loud=True)
    screen = commands.server.screen
    await commands.server.wait_until(lambda: screen.from_bots(commands.general) == ["Why? (en-US)"])


async def test_the_first_follow_up_takes_the_place_of_a_deferred_answer(commands: Scene) -> None:
    commands.ann.uses(commands.general, "model set", count=7)
    screen, ann = commands.server.screen, commands.ann
    await commands.server.wait_until(lambda: len(screen.from_bots(commands.general, person=ann)) == 2)
    assert [(shown.text, shown.only_for) for shown in screen(commands.general, person=ann)] == [
        ("Model 7", None),
        ("Anything else?", ann.id),
    ]
    events = [(event.what, event.text) for event in screen.history(commands.general)]
    assert events == [("message", ""), ("edit", "Model 7"), ("message", "Anything else?")]


async def test_a_command_is_used_on_a_message(commands: Scene) -> None:
    said = commands.ann.says(commands.general, "E = mc²")
    commands.ann.uses_on(commands.general, said, "Explain")
    screen = commands.server.screen
    await commands.server.wait_until(lambda: screen.from_bots(commands.general) == ["Ann said 'E = mc²'"])


async def test_commands_work_in_direct_conversations(commands: Scene) -> None:
    direct = commands.server.dm(commands.ann)
    commands.ann.uses(direct, "ask", question="Here?", loud=True)
    await commands.server.wait_until(lambda: commands.server.screen.from_bots(direct) == ["Here? (en-US)"])


async def test_people_cannot_send_what_the_bot_did_not_register(commands: Scene) -> None:
    with pytest.raises(LookupError, match="dance"):
        commands.ann.uses(commands.general, "dance")
    with pytest.raises(ValueError, match="missing options"):
        commands.ann.uses(commands.general, "ask")
    with pytest.raises(ValueError, match="typed"):
        commands.ann.uses(commands.general, "model set", count="seven")


async def test_commands_keep_their_ids_when_they_are_registered_again(commands: Scene) -> None:
    client = commands.client
    assert isinstance(client, Commanding)
    before = {command.name: command.id for command in await client.tree.fetch_commands()}
    assert set(before) == {"ask", "model", "Explain"}
    assert {command.name: command.id for command in await client.tree.sync()} == before
    guild = discord.Object(commands.guild.id)
    client.tree.copy_global_to(guild=guild)
    assert len(await client.tree.sync(guild=guild)) == 3


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ({"name": "Ask me", "description": "x"}, "0.name"),
        ({"name": "ask"}, "0.description"),
        ({"name": "ask", "description": "d" * 101}, "0.description"),
        ({"name": "ask", "description": "x", "type": 9}, "0.type"),
        ({"name": "ask", "description": "x", "name_localizations": {"xx": "frag"}}, "0.name_localizations.xx"),
        (
            {"name": "ask", "description": "x", "options": [{"type": 99, "name": "a", "description": "x"}]},
            "0.options.0.type",
        ),
        ({"name": "Explain", "type": 3, "description": "x"}, "0.description"),
    ],
)
async def test_wrong_commands_are_refused_with_their_path(scene: Scene, command: Any, path: str) -> None:
    http = scene.client.http
    with pytest.raises(discord.HTTPException) as refused:
        await http.bulk_upsert_global_commands(scene.server.bot().id, [command])
    assert refused.value.code == 50035
    assert f"In {path}" in str(refused.value)


# -- buttons and menus --------------------------------------------------------------------------------------


class Choices(ui.View):
    """Two buttons and a menu; what is pressed is noted."""

    def __init__(self) -> None:
        super().__init__(timeout=None)
        self.retry: ui.Button[Choices] = ui.Button(label="Retry", custom_id="retry:1")
        self.stop: ui.Button[Choices] = ui.Button(label="Stop", custom_id="stop:1", disabled=True)  # type: ignore[assignment]  # a method of views
        self.menu: ui.Select[Choices] = ui.Select(custom_id="taste", options=[discord.SelectOption(label="Tea")])
        for item in (self.retry, self.stop, self.menu):
            self.add_item(item)


async def pressed(scene: Scene) -> discord.Interaction:
    """The next interaction that the client hears."""
    await scene.client.until(lambda: scene.client.interactions)
    return scene.client.interactions.pop()


async def test_a_button_rewrites_the_message_that_it_stands_below(scene: Scene) -> None:
    await scene.channel.send("Try?", view=Choices())
    scene.ann.clicks(scene.general, scene.server.screen(scene.general)[-1], "Retry")
    interaction = await pressed(scene)
    await interaction.response.edit_message(content="Tried", view=None)
    shown = scene.server.screen(scene.general)[-1]
    assert (shown.text, shown.buttons) == ("Tried", ())
    assert [button.custom_id for button in shown.earlier[0].buttons] == ["retry:1", "stop:1"]
    assert [event.text for event in scene.server.screen.history(scene.general, "pressed")] == ["retry:1"]


async def test_only_what_is_seen_can_be_pressed(scene: Scene) -> None:
    await scene.channel.send("Try?", view=Choices())
    shown = scene.server.screen(scene.general)[-1]
    for button in ("Stop", "Nothing"):
        with pytest.raises(LookupError):
            scene.ann.clicks(scene.general, shown, button)


async def test_a_menu_is_chosen_from_and_answered_aside(scene: Scene) -> None:
    await scene.channel.send("Tea?", view=Choices())
    scene.ann.chooses(scene.general, scene.server.screen(scene.general)[-1], "taste", "Tea")
    interaction = await pressed(scene)
    assert interaction.data is not None and interaction.data["values"] == ["Tea"]  # type: ignore[typeddict-item]  # of a menu
    await interaction.response.send_message("Coming", ephemeral=True)
    assert scene.server.screen.from_bots(scene.general, person=scene.ann) == ["Tea?", "Coming"]


async def test_a_press_may_be_acknowledged_and_the_message_changed_later(scene: Scene) -> None:
    await scene.channel.send("Try?", view=Choices())
    scene.ann.clicks(scene.general, scene.server.screen(scene.general)[-1], "Retry")
    interaction = await pressed(scene)
    await interaction.response.defer()
    await interaction.edit_original_response(content="Later")
    assert scene.server.screen.from_bots(scene.general) == ["Later"]


async def test_buttons_below_ephemeral_answers_work(commands: Scene) -> None:
    commands.ann.uses(commands.general, "ask", question="Why?")
    await commands.server.wait_until(lambda: commands.server.screen(commands.general, person=commands.ann))
    interaction = commands.client.interactions.pop()
    await interaction.edit_original_response(view=Choices())
    shown = commands.server.screen(commands.general, person=commands.ann)[-1]
    bob = commands.server.person("Bob")
    commands.ann.invites(commands.guild, bob.account)
    with pytest.raises(LookupError, match="not for Bob"):
        bob.clicks(commands.general, shown, "Retry")
    commands.ann.clicks(commands.general, shown, "Retry")
    press = await pressed(commands)
    await press.response.edit_message(content="Because", view=None)
    await press.delete_original_response()
    assert commands.server.screen(commands.general, person=commands.ann) == []


# -- in time ------------------------------------------------------------------------------------------------


async def test_an_answer_after_three_seconds_is_refused_and_the_person_told(scene: Scene) -> None:
    await scene.channel.send("Try?", view=Choices())
    scene.ann.clicks(scene.general, scene.server.screen(scene.general)[-1], "Retry")
    interaction = await pressed(scene)
    scene.server.advance(3.1)
    with pytest.raises(discord.NotFound) as refused:
        await interaction.response.send_message("Late")
    assert refused.value.code == 10062
    failures = scene.server.screen.history(scene.general, "failed")
    assert [(event.text, event.only_for) for event in failures] == [("The application did not respond", scene.ann.id)]


async def test_the_token_is_good_for_fifteen_minutes(scene: Scene) -> None:
    await scene.channel.send("Try?", view=Choices())
    scene.ann.clicks(scene.general, scene.server.screen(scene.general)[-1], "Retry")
    interaction = await pressed(scene)
    await interaction.response.send_message("In time")
    scene.server.advance(14 * 60)
    await interaction.edit_original_response(content="Still in time")
    await interaction.followup.send("More")
    scene.server.advance(61)
    with pytest.raises(discord.HTTPException) as refused:
        await interaction.followup.send("Late")
    assert (refused.value.status, refused.value.code) == (401, 50027)
    assert scene.server.screen.from_bots(scene.general) == ["Try?", "Still in time", "More"]


async def test_a_deferred_answer_that_never_comes_is_a_failure(scene: Scene) -> None:
    await scene.channel.send("Try?", view=Choices())
    scene.ann.clicks(scene.general, scene.server.screen(scene.general)[-1], "Retry")
    interaction = await pressed(scene)
    await interaction.response.defer(thinking=True, ephemeral=True)
    assert scene.server.screen(scene.general, person=scene.ann)[-1].kind == "thinking"
    scene.server.advance(15 * 60 + 1)
    assert len(scene.server.screen.history(scene.general, "failed")) == 1


async def test_where_the_channel_is_gone_nothing_can_be_answered(scene: Scene) -> None:
    await scene.channel.send("Try?", view=Choices())
    scene.ann.clicks(scene.general, scene.server.screen(scene.general)[-1], "Retry")
    interaction = await pressed(scene)
    scene.ann.deletes_channel(scene.general)
    with pytest.raises(discord.NotFound) as refused:
        await interaction.response.send_message("Here?")
    assert refused.value.code == 10003


async def test_an_interaction_is_answered_once_and_before_any_follow_up(scene: Scene) -> None:
    await scene.channel.send("Try?", view=Choices())
    scene.ann.clicks(scene.general, scene.server.screen(scene.general)[-1], "Retry")
    interaction = await pressed(scene)
    with pytest.raises(discord.NotFound) as early:
        await interaction.followup.send("Too early")
    await interaction.response.send_message("Once")
    interaction.response._response_type = None  # what discord.py itself would not let pass
    with pytest.raises(discord.HTTPException) as again:
        await interaction.response.send_message("Twice")
    assert (early.value.code, again.value.code) == (10015, 40060)


# -- modals -------------------------------------------------------------------------------------------------


class Question(ui.Modal, title="A question"):
    """Asks for a question, and answers it."""

    question: ui.TextInput[Question] = ui.TextInput(label="What?", max_length=20)
    about: ui.TextInput[Question] = ui.TextInput(label="About", required=False, default="all of it")

    async def on_submit(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"{self.question.value}: {self.about.value}", ephemeral=True)


class Asking(Listener):
    """A client whose command opens a form."""

    def __init__(self) -> None:
        super().__init__()
        self.tree = app_commands.CommandTree(self)
        self.tree.command(name="ask", description="Ask something")(self.ask)

    async def setup_hook(self) -> None:
        await self.tree.sync()

    async def ask(self, interaction: discord.Interaction) -> None:
        """Open the form."""
        await interaction.response.send_modal(Question())


async def test_a_form_is_filled_in_and_answered() -> None:
    async with DiscordServer(limits=None) as server, staged(server, Asking()) as scene:
        asked = scene.ann.uses(scene.general, "ask")
        await server.wait_until(lambda: asked.modal)
        assert asked.modal is not None and asked.modal["title"] == "A question"
        with pytest.raises(LookupError):
            scene.ann.submits(asked, question="")
        [first, _] = [row["components"][0]["custom_id"] for row in asked.modal["components"]]
        scene.ann.submits(asked, **{first: "Why?"})
        await server.wait_until(lambda: server.screen.from_bots(scene.general, person=scene.ann) == ["Why?: all of it"])
        assert server.screen.from_bots(scene.general) == []
