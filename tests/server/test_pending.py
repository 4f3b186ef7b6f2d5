"""Who gives way when there are too many sockets that have not proven themselves."""

from llcphone.server.accepting import party_of
from llcphone.server.pending import Allowance, Lobby, Stage


def test_the_one_that_waited_longest_gives_way_when_every_place_is_taken():
    lobby = Lobby(total=3)
    places = [lobby.enter(address) for address in "abcd"]
    assert [place.put_out for place in places] == [True, False, False, False]
    assert places[0].scope.cancel_called
    assert (len(lobby), lobby.put_out) == (3, 1)


def test_the_address_that_holds_most_takes_places_from_itself():
    lobby = Lobby(total=4)
    honest = lobby.enter("honest")
    flood = [lobby.enter("flood") for _ in range(50)]
    others = [lobby.enter(address) for address in "xy"]
    assert [honest.put_out, *(each.put_out for each in others)] == [False] * 3
    assert sum(not place.put_out for place in flood) == 1
    assert not flood[-1].put_out, "the oldest go first"


def test_a_newcomer_of_equal_addresses_takes_the_place_of_its_own():
    lobby = Lobby(total=3)
    first, second, third = (lobby.enter(address) for address in "abc")
    lobby.enter("b")
    assert (first.put_out, second.put_out, third.put_out) == (False, True, False)


def test_whoever_is_answered_gives_way_first_and_whoever_is_being_answered_last():
    lobby = Lobby(total=3)
    served, waiting, answered = (lobby.enter("a") for _ in range(3))
    served.stage, answered.stage = Stage.BEING_ANSWERED, Stage.ANSWERED
    for gone in (answered, waiting, served):
        assert not gone.put_out
        lobby.enter("a").stage = Stage.BEING_ANSWERED
        assert gone.put_out


def test_nobody_is_turned_away_though_every_place_is_being_answered():
    lobby = Lobby(total=2)
    first, second = lobby.enter("a"), lobby.enter("a")
    first.stage = second.stage = Stage.BEING_ANSWERED
    assert not lobby.enter("a").put_out
    assert first.put_out


def test_a_place_that_is_left_is_free_again():
    lobby = Lobby(total=1)
    first = lobby.enter("a")
    lobby.leave(first)
    lobby.leave(first)
    assert lobby.enter("a") is not None
    assert (first.put_out, len(lobby)) == (False, 1)


def test_going_home_puts_out_only_those_who_still_owe_a_request():
    lobby = Lobby(total=5)
    waiting, served = lobby.enter("a"), lobby.enter("a")
    served.stage = Stage.BEING_ANSWERED
    lobby.send_home()
    assert (waiting.put_out, served.put_out) == (True, False)


def test_an_allowance_is_a_burst_and_then_a_rate():
    allowance = Allowance(per_s=20, burst=40)
    assert sum(allowance.take(100.0) for _ in range(1000)) == 40
    assert sum(allowance.take(100 + each / 1000) for each in range(1, 1001)) == 20
    assert sum(allowance.take(1000.0) for _ in range(1000)) == 40


def test_one_party_is_an_address_or_a_whole_network_of_ipv6():
    assert party_of("192.0.2.1") == "192.0.2.1"
    assert party_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert party_of("2001:db8:1:2:3:4:5:6") == party_of("2001:db8:1:2::") == "2001:db8:1:2::"
    assert party_of("2001:db8:1:3::1") != party_of("2001:db8:1:2::1")
    assert party_of("fe80::1%eth0") == "fe80::"
