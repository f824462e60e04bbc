"""What a peer must not do, done: PROTOCOL.md 9. After each breach the node still serves others."""

import time

import wire
from peer import Node, Servant
from report import at, fails, ok, same
from values import golden
from wire import ABORT, ACK, BYE, CALL, CLEAN, EXPIRED, HELD, HELLO, MORE, PING, PREFACE, REFUSED, REPLY, RESUME, ROOT
from wire import DIRTY, GONE, RESUMED, UNPIN, WELCOME, Line, frame, table

SOMEONE = bytes(range(16))


def call(**changes):
    """A call of an object that is not there."""
    fields = dict(call=50, target=(0, SOMEONE), method=1, size=0, payload=b"")
    return frame(CALL, **{**fields, **changes})


def names(*references, **parts):
    return {"table": table(interfaces=["I"], references=references, **parts)}


# What is sent after Welcome, by what it breaks.
BREACHES = {
    "3.1, kind 7": [b"\0\0\0\1\x07"],
    "3.1, kind 15": [b"\0\0\0\1\x0f"],
    "3.1, kind 255": [b"\0\0\0\1\xff"],
    "2.4, a second Hello": [Node().hello()],
    "2.4, Refused": [frame(REFUSED, code=6)],
    "8, Resume in a session": [frame(RESUME, session=SOMEONE, token=SOMEONE, received=0)],
    "8, Resumed": [frame(RESUMED, token=SOMEONE, received=0)],
    "8, Expired": [frame(EXPIRED, node=SOMEONE)],
    "3.3, an Ack of what was not sent": [frame(ACK, n=1)],
    "4.1, a Reply to nothing": [frame(REPLY, call=9, status=0, size=1, payload=b"\xc0")],
    "6.1, More of nothing": [frame(MORE, first=1, payload=b"x")],
    "6.1, Abort of nothing": [frame(ABORT, first=1)],
    "6.1, more than the size": [call(size=3, payload=b"x"), frame(MORE, first=1, payload=b"xxx")],
    "6.1, More after Abort": [call(size=3, payload=b"x"), frame(ABORT, first=1), frame(MORE, first=1, payload=b"x")],
    "6.2, a frame over the limit": [call(size=140_000, payload=bytes(131_073))],
    "2.5, a message over the limit": [call(size=67_108_865, payload=b"x")],
    "6.3, too much begun": [call(call=at, size=60_000_000, payload=b"x") for at in range(5)],
    "5.2, the sender as a third node": None,
    "5.2, the receiver as a third node": None,
    "5.2, a transfer twice": [call(**names((1, SOMEONE, 0, 1), (1, SOMEONE, 0, 1)))],
    "5.2, a transfer again": [call(**names((1, SOMEONE, 0, 1))), call(call=51, **names((1, SOMEONE, 0, 1)))],
    "7.3, transfers that descend": [call(**names((1, SOMEONE, 0, 2), (1, SOMEONE, 0, 1)))],
    "7.5, Clean beyond what was sent": [frame(CLEAN, object=SOMEONE, upto=1)],
    "7.5, Unpin of nothing": [frame(UNPIN, transfer=1)],
    "7.5, Held unasked": [frame(HELD, object=SOMEONE)],
    "7.5, Gone unasked": [frame(GONE, object=SOMEONE)],
}


def breaches(address):
    witness = Node()
    session = witness.dial(address)
    desk, shelf = session.root("desk"), session.root("shelf")

    def serves():
        return desk.call("add", 1, 2) == 3

    for what, frames in BREACHES.items():
        node = Node()
        breaker = node.dial(address)
        if frames is None:
            who = node.id if "sender" in what else breaker.peer
            frames = [call(**names((2, SOMEONE, 0, 1), nodes=[(who, [])]))]
        for value in frames:
            breaker.line.send_bytes(value if isinstance(value, bytes) else wire.encode(value))
        last = breaker.last_words()
        ok(f"{what}: {getattr(last, 'text', None)}", last and (last.kind, last.code) == (BYE, 1) and last.text and serves())

    for what, data in golden("malformed.txt"):
        first = data[4] == HELLO if len(data) > 4 else False
        if first:
            line = Line(address)
            line.send_bytes(PREFACE + data)
            last = line.receive()
            code = 5 if "understood" in what else 7
            ok(f"malformed: {what}: {last.text}", (last.kind, last.code) == (REFUSED, code) and line.receive() is None)
        else:
            breaker = Node().dial(address)
            breaker.line.send_bytes(data)
            if len(data) - 4 != int.from_bytes(data[:4], "big"):
                breaker.line.send_bytes(bytes(8))
            last = breaker.last_words()
            ok(f"malformed: {what}: {getattr(last, 'text', None)}", last and (last.kind, last.code) == (BYE, 1))
        ok("and the node serves others", serves())

    used(address)
    holding(address)
    silently(address)
    ok("the witness has seen nothing of it", serves() and session.bye is None)
    at("breached", witness)
    desk.drop()
    shelf.drop()
    session.say_bye()


def used(address):
    """Breaches that need some history."""
    node = Node()
    session = node.dial(address)
    desk = session.root("desk")
    session.root("shelf")
    node.until(lambda: session.told == 2, "an Ack")
    session.send(frame(ACK, n=1))
    same("3.3, an Ack below an earlier one", session.last_words().code, 1)

    session = node.dial(address)
    desk = session.root("desk")
    for _ in range(2):
        session.begin(desk.entry.object, "rmi.Desk", "stall", [], call=7)
    same("4.1, the number of a call that is unanswered", session.last_words().code, 1)

    session = Node(limits={"ring": 65_536}).dial(address)
    session.line.send_bytes(wire.encode(frame(DIRTY, object=SOMEONE)) * 60_000)
    # The Bye may be lost behind all those answers (9.1); that it ends, and does not go on, is the check.
    last = session.last_words()
    ok("3.5, questions without end, and no Ack", last is None or last.kind in (GONE, BYE))
    ok("are not all answered", session.line.count < 60_000)


def holding(address):
    """A breach ends what was held and lent, at once (9.1)."""
    node = Node()
    session = node.dial(address)
    shelf = session.root("shelf")
    session.items = shelf.call("make_many", 3)
    shelf.call("put", Servant(node, "rmi.Item", ping=lambda n: n))
    session.begin(session.items[0].entry.object, "rmi.Item", "ping", [1])
    session.send(frame(UNPIN, transfer=99))
    same("a breach by one who holds something", session.last_words().code, 1)


def silently(address):
    """What looks wrong, and is not."""
    node = Node()
    session = node.dial(address)
    session.probes.add(SOMEONE)
    for value in (
        frame(CLEAN, object=SOMEONE, upto=0),
        frame(wire.PONG, stamp=7),
        frame(ACK, n=0),
        frame(wire.UNSUPPORTED, frame=1, text="x"),
        frame(DIRTY, object=SOMEONE),
        frame(120, body=b"later"),
    ):
        session.send(value)
    desk = session.root("desk")
    same("harmless frames", desk.call("add", 1, 2), 3)
    session.say_bye(code=77, text="a code of a later version")


def first_words(address, *sent):
    """What the node answers before there is a session: its last frame, and how long it took to close."""
    line, begin = Line(address), time.monotonic()
    for value in sent:
        line.send_bytes(value if isinstance(value, bytes) else wire.encode(value))
    last = None
    while (value := line.receive()) is not None:
        last = value
    return last, time.monotonic() - begin


def refusals(address, full):
    """Of a node whose handshake must be over within 500 ms; `full` accepts two sessions."""
    node = Node()
    session = node.dial(address)
    desk, peer = session.root("desk"), session.peer
    for what, sent in {"another protocol": b"GET / HTTP/1.1\r\n\r\n", "another version": b"RMI\x02"}.items():
        same(f"{what} is not answered (2.1)", first_words(address, sent)[0], None)
    for what, sent in {"nothing": b"", "a part of the preface": b"RM", "a part of Hello": PREFACE + b"\0\0"}.items():
        last, time = first_words(address, sent)
        ok(f"{what} is not enough (2.4)", last is None and 0.3 < time < 5)
    hello = node.hello

    def refused(what, code, *sent):
        last, _ = first_words(address, PREFACE, *sent)
        ok(f"{what}: {getattr(last, 'text', None)}", last is not None and (last.kind, last.code) == (REFUSED, code))

    refused("no common version", 1, hello(lowest=2, highest=9))
    refused("another node was meant", 2, hello(meant=SOMEONE))
    refused("it dials itself", 3, hello(node=peer))
    refused("an option", 5, hello(options={1: b""}))
    refused("a flag", 7, hello(flags=2))
    refused("a lease", 7, hello(lease=99))
    refused("a limit", 7, hello(limits={"frame": 1_023}))
    refused("a length", 7, (65_537).to_bytes(4, "big"))
    refused("an empty frame", 7, bytes(4))
    refused("a kind", 7, b"\0\0\0\1\x80")
    last, _ = first_words(address, PREFACE, frame(RESUME, session=SOMEONE, token=SOMEONE, received=3))
    ok("Resume is answered by Expired (8)", last is not None and last.kind == EXPIRED)
    for value in (frame(PING, stamp=1), frame(ROOT, call=1, name="desk"), frame(BYE, code=0, received=0), call()):
        same(f"kind {value.kind} before Hello is not answered (9.3)", first_words(address, PREFACE, value)[0], None)
    for changes in (dict(lowest=0, highest=9), dict(meant=peer), dict(options={2: b""}), dict(limits={})):
        accepted = node.dial(address, **changes)
        ok(f"Hello with {list(changes)}", accepted.open)
        accepted.say_bye()
    early = Line(address)
    early.send_bytes(PREFACE + wire.encode(hello()) + wire.encode(frame(ROOT, call=1, name="desk")))
    kinds = [early.receive().kind, early.receive().kind]
    same("a Root rides along with Hello (2.4)", kinds, [WELCOME, REPLY])
    early.close()

    sessions = [node.dial(full) for _ in range(3)]
    same("too many sessions", [session.open for session in sessions], [True, True, False])
    same("code", sessions[2].welcome.code, 4)

    stall = session.begin(desk.entry.object, "rmi.Desk", "stall", [])
    at("draining", node)
    late = node.dial(address)
    same("a node that is shutting down", (late.open, late.welcome.code), (False, 6))
    fails("takes no calls", "ShuttingDown", lambda: desk.call("add", 1, 2))
    node.until(lambda: not session.open, "Bye")
    same("and says Bye", session.bye.code, 0)
    ok("the call that runs gets no answer", session.calls[stall] is None)
