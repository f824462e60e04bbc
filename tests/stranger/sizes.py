"""Messages in several frames, and the limits of both sides: PROTOCOL.md 2.5, 3.3, 3.5, 4.8 and 6."""

import time

import msgpack
import wire
from peer import Node, Servant
from report import fails, ok, same
from wire import ABORT, CALL, MORE, PING, REPLY, fnv1a, frame

MIB = bytes(range(256)) * 4096


def sizes(address):
    node = Node()
    session = node.dial(address)
    desk, shelf = session.root("desk"), session.root("shelf")
    ok("1 MiB, both ways", desk.call("reverse", MIB) == MIB[::-1])
    frames = [size for kind, _, size in session.seen if kind == MORE]
    ok("in frames of the agreed size", len(frames) >= 7 and max(frames) <= 131_072 + 16)
    calls = [session.begin(desk.entry.object, "rmi.Desk", "reverse", [MIB]) for _ in range(3)]
    ok("three of them at a time", all(session.answer(call) == MIB[::-1] for call in calls))
    interleaved(node, session, desk, shelf)
    aborted(node, session, desk)
    desk.drop()
    shelf.drop()
    session.say_bye()


def begun(session, reference, method, payload, table=wire.table()):
    """Sends the first byte of a call; returns the numbers of its frame and of the call."""
    call, session.next_call = session.next_call, session.next_call + 1
    session.calls[call] = None
    target, method = (0, reference.entry.object), fnv1a(f"{reference.interface}/{method}")
    first = frame(CALL, call=call, target=target, method=method, table=table, size=len(payload), payload=payload[:1])
    return session.send(first), call


def interleaved(node, session, desk, shelf):
    """6.2."""
    name, count = msgpack.pack(["you"]), msgpack.pack([3])
    one, greet = begun(session, desk, "greet", name)
    two, make = begun(session, shelf, "make_many", count)
    session.send(frame(MORE, first=one, payload=name[1:3]))
    session.send(frame(PING, stamp=session.next_stamp))
    session.stamps[session.next_stamp] = time.monotonic()
    session.next_stamp += 1
    root = session.ask_root("desk")
    session.send(frame(MORE, first=two, payload=b""))
    session.send(frame(MORE, first=two, payload=count[1:]))
    session.answer(root).drop()
    items = session.answer(make)
    same("messages in pieces, interleaved", len(items), 3)
    ok("the other one is not answered before it is there", session.calls[greet] is None)
    session.send(frame(MORE, first=one, payload=name[3:]))
    same("but then", session.answer(greet), "hello, you")
    for item in items:
        item.drop()


def aborted(node, session, desk):
    """6.4, 5.3."""
    mine = Servant(node, "rmi.Item", ping=lambda n: n)
    payload, table, own = session.marshal([mine])
    first, call = begun(session, desk, "ping_twice", payload, table)
    session.listed[mine.id] = first
    session.send(frame(ABORT, first=first))
    node.until(lambda: not session.listed, "Clean")
    ok("the references of an aborted call are dropped")
    same("the next call", desk.call("add", 1, 1), 2)
    ok("an aborted call is not answered", session.calls.pop(call) is None)


def bounds(address, narrow):
    modest(address)
    generous(narrow)


def modest(address):
    """The node keeps to the limits of the stranger."""
    limits = dict(frame=1_024, table=4_096, message=200_000, references=3, calls=1, ring=65_536, objects=2, partial=1_024)
    node = Node(limits=limits)
    session = node.dial(address)
    desk, shelf = session.root("desk"), session.root("shelf")
    data = MIB[:150_000]

    def ring():
        return sum(size for kind, _, size in session.seen if kind in (CALL, REPLY, MORE))

    session.deaf, session.seen = True, []
    call = session.begin(desk.entry.object, "rmi.Desk", "reverse", [data])
    node.until(lambda: ring() > 60_000, "a full ring")
    node.idle(0.2)
    ok("nothing leaves when `ring` is used up (3.5)", ring() < 65_536 + 1_024 + 16)
    session.deaf = False
    ok("it goes on when it is acknowledged", session.answer(call) == data[::-1])
    ok("in frames of 1,024", max(size for kind, _, size in session.seen if kind == MORE) <= 1_024 + 16)

    most = []
    more, session.more = session.more, lambda *a: (more(*a), most.append(len(session.partial)))
    calls = [session.begin(desk.entry.object, "rmi.Desk", "reverse", [data]) for _ in range(3)]
    ok("three answers", all(session.answer(call) == data[::-1] for call in calls))
    same("of which one is begun at a time (6.3)", max(most), 1)

    depth = []

    def slow(n):
        depth.append(n)
        node.idle(0.1)
        depth.append(-n)
        return n

    item = Servant(node, "rmi.Item", ping=slow)
    same("two calls to a peer that takes one", desk.call("ping_twice", item), [1, 2])
    ok("come one after the other", depth in ([1, -1, 2, -2], [2, -2, 1, -1]))
    fails("an answer over `message`", "BadReply", lambda: desk.call("greet", "x" * 200_000))
    fails("an answer over `references`", "BadReply", lambda: shelf.call("make_many", 4))
    for item in shelf.call("make_many", 3):
        item.drop()
    ok("`objects` bounds what is held of its own sender, not of its receiver", session.open)
    shelf.drop()
    desk.drop()
    session.say_bye()


def generous(address):
    """The node says what it accepts: frames of 1,024 bytes, three references, two calls, two objects."""
    node = Node()
    session = node.dial(address)
    desk = session.root("desk")
    data = MIB[:90_000]
    ok("90,000 bytes in frames of 1,024", desk.call("reverse", data) == data[::-1])
    calls = [session.begin(desk.entry.object, "rmi.Desk", "stall", []) for _ in range(3)]
    fails("a call too many (4.8)", "Overloaded", lambda: session.answer(calls[2]))
    root = session.ask_root("desk")
    fails("a root counts, too", "Overloaded", lambda: session.answer(root))
    session.say_bye()

    session = node.dial(address)
    shelf = session.root("shelf")
    item = shelf.call("make")
    fails("an object too many (7.1)", "BadReply", lambda: shelf.call("make"))
    item.drop()
    item = shelf.call("make")
    item.drop()
    shelf.drop()
    ok("there is room again when it is cleaned")
    session.say_bye()
