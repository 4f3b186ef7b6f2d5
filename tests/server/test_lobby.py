"""Who gives way when there are too many sockets that have not proven themselves."""

from llcphone.server.lobby import Lobby


def test_the_one_that_waited_longest_gives_way_to_a_newcomer_from_its_address():
    lobby = Lobby(total=10, per_address=2)
    first, second = lobby.enter("a"), lobby.enter("a")
    other = lobby.enter("b")
    third = lobby.enter("a")
    assert first.put_out
    assert first.scope.cancel_called
    assert not any(place.put_out for place in (second, other, third))
    assert (len(lobby), lobby.put_out) == (3, 1)


def test_the_one_that_waited_longest_of_all_gives_way_when_every_place_is_taken():
    lobby = Lobby(total=3, per_address=3)
    places = [lobby.enter(address) for address in "abcd"]
    assert [place.put_out for place in places] == [True, False, False, False]
    assert len(lobby) == 3


def test_a_request_being_answered_is_not_put_out_and_does_not_count_for_its_address():
    lobby = Lobby(total=3, per_address=1)
    served = lobby.enter("a")
    served.waits = False
    waiting = lobby.enter("a")
    newcomer = lobby.enter("a")
    assert (served.put_out, waiting.put_out, newcomer.put_out) == (False, True, False)


def test_a_newcomer_is_turned_away_when_every_place_is_being_answered():
    lobby = Lobby(total=2, per_address=2)
    for _ in range(2):
        lobby.enter("a").waits = False
    assert lobby.enter("a") is None
    assert (lobby.turned_away, lobby.put_out) == (1, 0)


def test_a_place_that_is_left_is_free_again():
    lobby = Lobby(total=1, per_address=1)
    first = lobby.enter("a")
    lobby.leave(first)
    lobby.leave(first)
    assert lobby.enter("a") is not None
    assert not first.put_out


def test_going_home_puts_out_only_those_who_still_owe_a_request():
    lobby = Lobby(total=5, per_address=5)
    waiting, served = lobby.enter("a"), lobby.enter("a")
    served.waits = False
    lobby.send_home()
    assert (waiting.put_out, served.put_out) == (True, False)
