"""The grammar of a request head, as a table of what is let through and what is refused."""

from contextlib import suppress

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llcphone.server.head import RequestRefused, parse_head


def head(*lines: bytes) -> bytes:
    return b"\r\n".join([*lines, b"", b""])


def refusal(raw: bytes) -> int:
    with pytest.raises(RequestRefused) as caught:
        parse_head(raw)
    return caught.value.status


WEBSOCKET = (b"Host: x", b"Upgrade: websocket", b"Connection: keep-alive, Upgrade", b"Sec-WebSocket-Key: k")


def test_an_ordinary_request_is_read_with_lower_case_names_and_bare_values():
    read = parse_head(head(b"POST /twiml?a=b HTTP/1.1", b"Host: x:80", b"X-Odd:\t one  two \t", b"Empty:"))
    assert (read.method, read.target, read.path) == (b"POST", b"/twiml?a=b", b"/twiml")
    assert read.headers == ((b"host", b"x:80"), (b"x-odd", b"one  two"), (b"empty", b""))
    assert read.content_length == 0


@pytest.mark.parametrize(
    "first",
    [
        b"PRI * HTTP/2.0",
        b"CONNECT /x HTTP/1.1",
        b"CONNECT host:443 HTTP/1.1",
        b"GET http://elsewhere/ HTTP/1.1",
        b"GET  / HTTP/1.1",
        b"GET /a b HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b"GET /\xc3\xa9 HTTP/1.1",
        b"GET / http/1.1",
        b"get / HTTP/1.1",
        b"GET /\x00 HTTP/1.1",
        b"GET /a\nX: y HTTP/1.1",
        b"",
    ],
)
def test_a_request_line_outside_the_grammar_is_a_bad_request(first):
    assert refusal(head(first, b"Host: x")) == 400


def test_only_http_1_is_spoken():
    assert refusal(head(b"GET / HTTP/2.0", b"Host: x")) == 505
    assert refusal(head(b"GET / HTTP/1.2", b"Host: x")) == 505
    assert parse_head(head(b"GET / HTTP/1.0")).version == b"HTTP/1.0"


@pytest.mark.parametrize(
    "line",
    [
        b" folded",
        b"\tfolded",
        b"No colon",
        b"Space : x",
        b": x",
        b"N\xc3\xa4me: x",
        b"Sec-WebSocket-Extensions: \xb8",
        b"Connection: \xff",
        b"X: a\rb",
        b"X: a\nb",
        b"X: a\x00b",
        b"Host: y",
        b"Content-Length: -1",
        b"Content-Length: +1",
        b"Content-Length: 1_0",
        b"Content-Length: ",
        b"Content-Length: 0x10",
        b"Content-Length: " + b"9" * 11,
    ],
)
def test_a_header_line_outside_the_grammar_is_a_bad_request(line):
    assert refusal(head(b"GET / HTTP/1.1", b"Host: x", line)) == 400


@pytest.mark.parametrize(
    "city", ["São Paulo".encode(), b"S\xe3o Paulo", "東京".encode(), b"\x80", b"\xff" * 60]
)
def test_a_value_that_nobody_reads_may_be_in_any_encoding_and_is_left_out(city):
    sent = head(b"GET /media/t HTTP/1.1", *WEBSOCKET, b"Cf-Ipcity: " + city, b"X-Odd: y")
    read = parse_head(sent)
    assert (read.get(b"cf-ipcity"), read.get(b"host"), read.get(b"x-odd")) == (b"", b"x", b"y")
    assert read.raw == head(b"GET /media/t HTTP/1.1", *WEBSOCKET, b"X-Odd: y"), (
        "as it came, but for that line"
    )
    for handed_on in (read.raw, read.as_single_request(), read.as_plain_upgrade()):
        assert handed_on.isascii()
        assert b"ipcity" not in handed_on.lower()


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "Content-Length", "Transfer-Encoding", "Upgrade", "Connection", "Expect", "Content-Type"),
        *("Authorization", "Idempotency-Key", "X-Twilio-Signature"),
        *("Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol"),
    ],
)
@pytest.mark.parametrize("value", [b"\xe3", b"x\xc3\xa3"])
def test_a_value_that_matters_is_ascii_or_refused(name, value):
    host = [] if name == "Host" else [b"Host: x"]
    assert refusal(head(b"GET / HTTP/1.1", *host, name.encode() + b": " + value)) == 400


def test_control_bytes_are_refused_in_every_value():
    for byte in (b"\x00", b"\x01", b"\x7f", b"\n"):
        assert refusal(head(b"GET / HTTP/1.1", b"Host: x", b"Cf-Ipcity: S" + byte)) == 400


def test_whoever_leaves_open_where_the_body_ends_is_refused():
    first = (b"POST / HTTP/1.1", b"Host: x")
    assert refusal(head(*first, b"Content-Length: 1", b"Content-Length: 1")) == 400
    assert refusal(head(*first, b"Content-Length: 1", b"Transfer-Encoding: chunked")) == 400
    assert refusal(head(*first, b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked")) == 400
    assert refusal(head(*first, b"Transfer-Encoding: chunked")) == 411
    assert refusal(head(b"GET /media/t HTTP/1.1", *WEBSOCKET, b"Content-Length: 3")) == 400


def test_the_host_is_given_once_and_is_a_host():
    assert refusal(head(b"GET / HTTP/1.1")) == 400
    assert refusal(head(b"GET / HTTP/1.1", b"Host: a b")) == 400
    for odd in (b"a/b", b"a..b", b"a" * 64, b"a:b", b".", b"[x]"):
        assert refusal(head(b"GET / HTTP/1.1", b"Host: " + odd)) == 400
    for usual in (b"[::1]:8081", b"phone.example.test", b"127.0.0.1:80", b"a_b-c.", b""):
        assert parse_head(head(b"GET / HTTP/1.1", b"Host: " + usual)).get(b"host") == usual


def test_a_hundred_headers_are_enough():
    many = [b"X-%d: y" % number for number in range(99)]
    assert len(parse_head(head(b"GET / HTTP/1.1", b"Host: x", *many)).headers) == 100
    assert refusal(head(b"GET / HTTP/1.1", b"Host: x", *many, b"X: y")) == 431


def test_a_websocket_handshake_is_recognised_and_others_are_not():
    assert parse_head(head(b"GET /media/t HTTP/1.1", *WEBSOCKET)).wants_websocket
    assert parse_head(
        head(b"GET /x HTTP/1.1", b"Host: x", b"UPGRADE: WebSocket", b"connection: UPGRADE")
    ).wants_websocket
    assert not parse_head(head(b"POST /media/t HTTP/1.1", *WEBSOCKET)).wants_websocket
    assert not parse_head(head(b"GET / HTTP/1.1", b"Host: x", b"Upgrade: websocket")).wants_websocket
    h2c = (b"Host: x", b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings", b"HTTP2-Settings: AAA")
    assert not parse_head(head(b"GET / HTTP/1.1", *h2c)).wants_websocket


@pytest.mark.parametrize(
    ("path", "token"),
    [
        (b"/media/abc-DEF_123", "abc-DEF_123"),
        (b"/media/abc?callId=1", "abc"),
        (b"/media/", None),
        (b"/media/a/b", None),
        (b"/media/a%2Fb", None),
        (b"/x/media/abc", None),
        (b"/media/" + b"a" * 257, None),
    ],
)
def test_the_token_is_one_segment_of_the_media_path(path, token):
    assert parse_head(head(b"GET " + path + b" HTTP/1.1", b"Host: x")).media_token == token


def test_the_head_for_the_http_stack_is_one_request_without_an_upgrade():
    sent = head(
        b"GET /a?b HTTP/1.1",
        b"Host: x",
        b"Connection: Upgrade, keep-alive",
        b"Keep-Alive: timeout=5",
        b"Proxy-Connection: keep-alive",
        b"Upgrade: h2c",
        b"HTTP2-Settings: AAA",
        b"Expect: 100-continue",
        b"X-Twilio-Signature: s=",
    )
    expected = head(b"GET /a?b HTTP/1.1", b"host: x", b"x-twilio-signature: s=", b"connection: close")
    assert parse_head(sent).as_single_request() == expected


def test_the_handshake_for_the_http_stack_negotiates_nothing():
    sent = head(b"GET /media/t HTTP/1.1", *WEBSOCKET, b"Sec-WebSocket-Extensions: permessage-deflate")
    expected = head(
        b"GET /media/t HTTP/1.1",
        b"host: x",
        b"sec-websocket-key: k",
        b"connection: Upgrade",
        b"upgrade: websocket",
    )
    assert parse_head(sent).as_plain_upgrade() == expected


LINES = st.lists(
    st.one_of(
        st.sampled_from([b"Host: x", b"Content-Length: 5", b"Connection: close", b"A: \xff", b" fold", b""]),
        st.binary(max_size=30),
    ),
    max_size=6,
)


@given(st.sampled_from([b"GET / HTTP/1.1", b"POST /twiml HTTP/1.0"]) | st.binary(max_size=40), LINES)
@example(b"GET / HTTP/1.1", [b"Host: x", b"Content-Length: 5", b"Content-Length: 5"])
def test_whatever_is_let_through_reads_the_same_to_an_independent_parser(first, lines):
    """h11 is the parser behind the door; a head of our writing must mean to it what it meant to us."""
    try:
        read = parse_head(head(first, *lines))
    except RequestRefused:
        return
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(read.as_single_request())
    event = connection.next_event()
    assert isinstance(event, h11.Request)
    assert (event.method, event.target) == (read.method, read.target)
    assert (b"connection", b"close") in list(event.headers)
    if read.content_length:
        assert connection.next_event() is h11.NEED_DATA
    else:
        assert isinstance(connection.next_event(), h11.EndOfMessage)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_refusal(raw):
    with suppress(RequestRefused):
        parse_head(raw)
