"""The fields of a message that carries something other than text, as they go over the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.servers.bot_api_world import File

Json = dict[str, Any]
MIMES: Mapping[str, tuple[str, str]] = {
    "photo": ("photo.jpg", "image/jpeg"),
    "voice": ("voice.oga", "audio/ogg"),
    "audio": ("song.mp3", "audio/mpeg"),
    "document": ("notes.txt", "text/plain"),
    "sticker": ("sticker.webp", "image/webp"),
    "video": ("film.mp4", "video/mp4"),
    "video_note": ("round.mp4", "video/mp4"),
    "animation": ("dance.mp4", "video/mp4"),
}
"""The name and type that each kind of file has unless told otherwise."""

_FRAME = {"width": 640, "height": 480}
_FIELDS: Mapping[str, Json] = {
    "voice": {"duration": 3},
    "audio": {"duration": 180, "performer": "Somebody", "title": "Something"},
    "document": {},
    "sticker": {"width": 512, "height": 512, "type": "regular", "is_animated": False, "is_video": False, "emoji": "👍"},
    "video": {**_FRAME, "duration": 12},
    "video_note": {"length": 240, "duration": 5},
    "animation": {**_FRAME, "duration": 2},
}
WITHOUT_FILES: Mapping[str, Json] = {
    "location": {"longitude": 8.54, "latitude": 47.37},
    "contact": {"phone_number": "+41440000000", "first_name": "Carl", "user_id": 4711},
    "venue": {"location": {"longitude": 8.54, "latitude": 47.37}, "title": "Station", "address": "Square 1"},
    "dice": {"emoji": "🎲", "value": 4},
    "poll": {
        "id": "5001",
        "question": "Tea?",
        "options": [{"persistent_id": "1", "text": "Yes", "voter_count": 0}],
        "total_voter_count": 0,
        "is_closed": False,
        "is_anonymous": True,
        "type": "regular",
        "allows_multiple_answers": False,
        "allows_revoting": False,
        "members_only": False,
    },
    "story": {"chat": {"id": -1009, "type": "channel", "title": "Stories"}, "id": 1},
}


def file_content(kind: str, file: File) -> Json:
    """The fields of a message with a file of this kind."""
    if kind == "photo":
        sizes = ((90, 67), (320, 240), (640, 480))
        return {"photo": [{**file.wire(), "width": width, "height": height} for width, height in sizes]}
    body = {**file.wire(), **_FIELDS[kind]}
    if kind not in {"sticker", "video_note"}:
        body["mime_type"] = file.mime
    if kind in {"document", "audio", "video", "animation"}:
        body["file_name"] = file.name
    return {kind: body, "document": body} if kind == "animation" else {kind: body}
