"""Who gives way when there are too many sockets that have not proven themselves."""

from llcphone.server.accepting import party_of
from llcphone.server.pending import Allowance, PendingConnections, Stage


def test_the_one_that_waited_longest_gives_way_when_every_place_is_taken():
    pending = PendingConnections(total=3)
    connections = [pending.add(address) for address in "abcd"]
    assert [connection.evicted for connection in connections] == [True, False, False, False]
    assert connections[0].scope.cancel_called
    assert len(pending) == 3


def test_the_address_that_holds_most_takes_places_from_itself():
    pending = PendingConnections(total=4)
    honest = pending.add("honest")
    flood = [pending.add("flood") for _ in range(50)]
    others = [pending.add(address) for address in "xy"]
    assert [honest.evicted, *(each.evicted for each in others)] == [False] * 3
    assert sum(not connection.evicted for connection in flood) == 1
    assert not flood[-1].evicted, "the oldest go first"


def test_a_newcomer_of_equal_addresses_takes_the_place_of_its_own():
    pending = PendingConnections(total=3)
    first, second, third = (pending.add(address) for address in "abc")
    pending.add("b")
    assert (first.evicted, second.evicted, third.evicted) == (False, True, False)


def test_whoever_is_answered_gives_way_first_and_whoever_is_being_answered_last():
    pending = PendingConnections(total=3)
    served, waiting, answered = (pending.add("a") for _ in range(3))
    served.stage, answered.stage = Stage.BEING_ANSWERED, Stage.ANSWERED
    for gone in (answered, waiting, served):
        assert not gone.evicted
        pending.add("a").stage = Stage.BEING_ANSWERED
        assert gone.evicted


def test_nobody_is_turned_away_though_every_place_is_being_answered():
    pending = PendingConnections(total=2)
    first, second = pending.add("a"), pending.add("a")
    first.stage = second.stage = Stage.BEING_ANSWERED
    assert not pending.add("a").evicted
    assert first.evicted


def test_a_place_that_is_left_is_free_again():
    pending = PendingConnections(total=1)
    first = pending.add("a")
    pending.remove(first)
    pending.remove(first)
    assert pending.add("a") is not None
    assert (first.evicted, len(pending)) == (False, 1)


def test_going_home_puts_out_only_those_who_still_owe_a_request():
    pending = PendingConnections(total=5)
    waiting, served = pending.add("a"), pending.add("a")
    served.stage = Stage.BEING_ANSWERED
    pending.evict_all()
    assert (waiting.evicted, served.evicted) == (True, False)


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
