"""A model leg's codec: what it writes and reads is what the API's own functions write and read."""

from __future__ import annotations

import base64

import pytest

from llcphone.call.codec import codec_of
from llcphone.errors import RemoteProtocolError
from llcphone.realtime.dialects import REALTIME_DIALECTS, Dialect, encode
from llcphone.realtime.events import AudioDelta
from llcphone.realtime.messages import AppendAudio, AssistantText

PAYLOAD = base64.b64encode(bytes(160))


@pytest.mark.parametrize("dialect", REALTIME_DIALECTS)
def test_a_frame_between_prefix_and_end_is_the_message(dialect: Dialect) -> None:
    codec = codec_of(dialect)
    assert codec.append_prefix + PAYLOAD + codec.append_end == codec.encode(AppendAudio(PAYLOAD))


def test_each_dialect_spells_in_its_way() -> None:
    message = AssistantText("Hello")
    for dialect in REALTIME_DIALECTS:
        assert codec_of(dialect).encode(message) == encode(message, dialect)
    assert codec_of(Dialect.FLAT).encode(message) != codec_of(Dialect.GA).encode(message)


def test_the_agents_audio_takes_the_short_way_and_all_else_is_decoded() -> None:
    delta = b'{"type":"response.output_audio.delta","response_id":"r1","item_id":"i1","delta":"%s"}' % PAYLOAD
    event = codec_of(Dialect.GA).decode(delta)
    assert isinstance(event, AudioDelta)
    assert (event.response_id, event.item_id, event.payload) == ("r1", "i1", PAYLOAD)
    with pytest.raises(RemoteProtocolError):
        codec_of(Dialect.GA).decode(b"no JSON")
