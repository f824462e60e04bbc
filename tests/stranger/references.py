"""References that are held, called, lent, passed home and passed on: PROTOCOL.md 5 and 7."""

from peer import Err, Node, Servant
from report import at, errs, fails, ok, same
from wire import CLEAN, DIRTY, GONE, HELD, frame


def references(address):
    node = Node()
    session = node.dial(address)
    shelf = session.root("shelf")
    held(node, session, shelf)
    crossing(node, session, shelf)
    lent(node, session, shelf)
    many = shelf.call("make_many", 10)
    same("ten references in one message", len({reference.entry for reference in many}), 10)
    mine = Servant(node, "rmi.Item", ping=lambda n: n)
    shelf.call("put", mine)
    at("full", node)
    session.say_bye()
    ok("a Bye ends what is lent", mine.id not in session.listed)


def held(node, session, shelf):
    item = shelf.call("make")
    same("a call of what is held", item.call("ping", 1), 2)
    at("holds", node)
    shelf.call("put", item)
    node.until(lambda: not session.pins, "Unpin")
    ok("a reference goes home, and is unpinned at once (7.4)", item.entry.confirmed)
    again = shelf.call("echo", item)
    ok("the same object has one entry (7.2)", again.entry is item.entry)
    same("it is called at home", shelf.call("ping_this", again, 5), 6)
    again.drop()
    node.until(lambda: not session.pins, "Unpin")
    item.drop()
    ok("the last one that is dropped is cleaned", item.entry.object not in session.entries)
    at("cleaned", node)
    shelf.call("clear")
    at("cleared", node)
    missing = {"kind": "NotBound", "name": "the top", "at": "an empty shelf"}
    errs("a RemoteError as a method's own error (10)", missing, lambda: shelf.call("top"))
    late = session.begin(item.entry.object, "rmi.Item", "ping", [1])
    fails("it is gone", "NoSuchObject", lambda: session.answer(late))
    number = session.send(frame(CLEAN, object=item.entry.object, upto=session.received))
    node.until(lambda: session.acknowledged >= number, "an Ack")
    ok("a Clean of what is not listed is ignored (7.5)", session.open)


def crossing(node, session, shelf):
    """7.5."""
    item = shelf.call("make")
    before = session.received
    shelf.call("put", item)
    again = shelf.call("top")
    session.send(frame(CLEAN, object=item.entry.object, upto=before))
    shelf.call("clear")
    same("a reference survives a Clean that it crosses", again.call("ping", 1), 2)
    again.drop()
    item.drop()


def lent(node, session, shelf):
    times = []

    def ping(n):
        times.append(n)
        return n * 10

    mine = Servant(node, "rmi.Item", ping=ping)
    same("an own object is called back", shelf.call("ping_this", mine, 7), 70)
    node.until(lambda: not session.listed, "Clean")
    ok("and cleaned, but it is held here", mine.id in node.objects)
    shelf.call("put", mine)
    at("lent", node)
    same("the test has called it", times, [7, 4])
    ok("it comes home as itself", shelf.call("top") is mine)
    mine.kept = False
    same("it lives as long as it is listed", shelf.call("ping_top", 2), 20)
    session.probes.add(bytes(16))
    session.send(frame(DIRTY, object=bytes(16)))
    shelf.call("clear")
    node.until(lambda: mine.id not in node.objects, "the collection of an own object")
    ok("an own object is collected")
    ok("Gone for what never was (7.4.1)", GONE in [kind for kind, _, _ in session.seen])


def third(one, two):
    """Two nodes; this one is the third."""
    # It shares the loopback interface with them, and says so (5.6).
    stranger = Node().dial(one)
    stranger.say_bye()
    node = Node(host=stranger.welcome.host)
    a, b = node.dial(one), node.dial(two)
    shelf, other = a.root("shelf"), b.root("shelf")

    item = shelf.call("make")
    other.call("put", item)
    ok("a reference that is passed on is pinned", b.next_transfer == 2)
    node.until(lambda: not b.pins, "Unpin by the third node")
    item.drop()
    ok("and cleaned when it is unpinned and dropped", item.entry.object not in a.entries)
    same("the nodes have found each other", other.call("ping_top", 1), 2)
    at("passed", node)

    a.withhold = True
    item = other.call("take")
    ok("one that arrives from a third node is not confirmed", item.entry.session is a and not item.entry.confirmed)
    at("pinned", node)
    same("it is alive meanwhile, and can be called", item.call("ping", 1), 2)
    a.withhold = False
    a.withheld()
    node.until(lambda: item.entry.confirmed, "Held")
    ok("Held confirms it", HELD in [kind for kind, _, _ in a.seen])
    at("unpinned", node)
    again = other.call("echo", item)
    ok("a confirmed one is unpinned at once", again.entry is item.entry and not item.entry.owed)
    again.drop()
    node.until(lambda: not b.pins, "Unpin")
    item.drop()
    ok("and cleaned", item.entry.object not in a.entries)
    at("dropped", node)

    mine = Servant(node, "rmi.Item", ping=lambda n: n + 100)
    shelf.call("put", mine)
    ok("an own object comes home from the node that has it", shelf.call("pass_top", other) is mine)
    same("that node calls it", shelf.call("ping_top", 1), 101)
    fails_to(other, "a third node has no way to one who does not listen")
    other.call("put", mine)
    same("unless it is given to it, too", other.call("ping_top", 2), 102)
    other.call("clear")
    shelf.call("clear")
    node.until(lambda: not a.listed and not b.listed, "Clean")
    shelf.drop()
    other.drop()
    at("bye", node)
    a.say_bye()
    b.say_bye()


def fails_to(shelf, what):
    try:
        shelf.call("ping_top", 1)
        raise AssertionError(what)
    except Err as error:
        same(what, error.args[0]["kind"], "Unreachable")


def attached(*addresses):
    """Nobody dialed (2.3): the other side takes what is accepted here for one end of a pipe."""
    for address, first, flags in zip(addresses, (0x00, 0xFF, 0x00), (1, 1, 0)):
        node = Node()
        node.id = bytes([first]) + node.id[1:]
        mine = Servant(node, "rmi.Item", ping=lambda n: n + 1)
        node.roots["mine"] = mine
        node.roots["more"] = Servant(node, "rmi.Special", ("rmi.Item",), ping=lambda n: n + 2)
        node.roots["other"] = Servant(node, "rmi.Other", ping=lambda n: n)
        session = node.dial(address, flags=flags)
        accepted = session.acceptor
        ok(f"a handshake with id {first:02x}.., flags {flags}", accepted == (first == 0 and flags == 1))
        item = session.root("shelf").call("make")
        same("a call", item.call("ping", 1), 2)
        at("attached", node)
        ok("the test has what was published here")
        session.say_bye()
