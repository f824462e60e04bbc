"""A node in Python, after PROTOCOL.md alone. It dials and does not listen; one thread, nothing in the background.

`Node.pump` does everything that is due: it reads, answers, acknowledges and pings. Whatever waits, waits by pumping.
"""

import os
import select
import time
from collections import deque

import msgpack
import wire
from msgpack import Index, Malformed
from objects import Entry, Err, Fault, Gone, Reference, Servant, names_of
from wire import ACK, BYE, CALL, DEFAULTS, DIRTY, ERR, FAULT, GONE, HELD, HELLO, MORE, NOBODY, OK, PING, PONG, REFUSED, REPLY
from wire import ROOT, UNPIN, UNSUPPORTED, WELCOME, fnv1a, frame

DESCRIBE = fnv1a("rmi.Object/describe")
LIMIT = 10


class Node:
    def __init__(self, lease=60_000, limits=None, host=None):
        self.id, self.host = os.urandom(16), int.from_bytes(os.urandom(8), "big") if host is None else host
        self.lease, self.limits = lease, {**DEFAULTS, **(limits or {})}
        self.objects, self.roots, self.sessions, self.input = {}, {}, [], bytearray()

    def hello(self, **changes):
        fields = dict(
            lowest=1, highest=1, node=self.id, meant=NOBODY, flags=0, lease=self.lease, limits=self.limits,
            host=self.host, process=int.from_bytes(os.urandom(8), "big"), addresses=[],
        )  # fmt: skip
        return frame(HELLO, **{**fields, **changes})

    def dial(self, address, **changes):
        session = Session(self, address, self.hello(**changes))
        self.sessions.append(session)
        return session

    def session_with(self, node, addresses):
        for session in self.sessions:
            if session.open and session.peer == node:
                return session
        for address in addresses:
            if address.startswith("tcp://"):
                return self.dial(address, meant=node)
        raise Malformed("no way to a third node")

    def pump(self, timeout=0.02, stdin=False):
        lines = [session.line.socket for session in self.sessions if session.open]
        ready, _, _ = select.select(lines + ([0] if stdin else []), [], [], timeout)
        if 0 in ready:
            data = os.read(0, 4096)
            if not data:
                raise SystemExit("the test is gone")
            self.input += data
        for session in list(self.sessions):
            if session.open and session.line.socket in ready:
                session.line.fill(0)
            session.take()
            session.tick()

    def until(self, condition, what, limit=LIMIT):
        end = time.monotonic() + limit
        while not condition():
            assert time.monotonic() < end, f"not within {limit} s: {what}"
            self.pump()

    def idle(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.pump()

    def line_of_input(self):
        """What the test says next."""
        while b"\n" not in self.input:
            self.pump(stdin=True)
        line, _, self.input = self.input.partition(b"\n")
        return line.decode()


class Session:
    """One session, and everything that is per session (7)."""

    def __init__(self, node, address, hello):
        self.node, self.address, self.hello, self.line = node, address, hello, wire.Line(address)
        self.line.send_bytes(wire.PREFACE + wire.encode(hello))
        self.acceptor = False
        self.welcome = self.shake_hands()
        if self.welcome is None or self.welcome.kind == REFUSED:
            self.open = False
            return
        self.open, self.peer, self.limits = True, self.welcome.node, self.welcome.limits
        self.lease = min(hello.lease, self.welcome.lease) / 1000
        self.sent = self.received = self.told = self.acknowledged = 0
        self.unacknowledged, self.ring, self.stamps = deque(), 0, {}
        self.quiet = self.deaf = self.withhold = False  # sends nothing by itself; sends no Acks; answers no one's Dirty
        self.last_ping = self.proven = time.monotonic()
        self.next_call = self.next_transfer = self.next_stamp = 1
        self.calls, self.partial, self.entries, self.pins, self.listed = {}, {}, {}, {}, {}
        self.unsupported, self.seen, self.bye = [], [], None
        self.probes = set()  # objects after which a test asks without an entry

    def shake_hands(self):
        """Welcome or Refused; or the Hello of the other end of a pipe, if this side is the acceptor (2.3)."""
        answer = self.line.receive()
        if answer is not None and answer.kind == HELLO:
            self.acceptor = self.hello.flags == 1 and answer.flags == 1 and self.node.id < answer.node
            if self.acceptor:
                mine = {name: getattr(self.hello, name) for name in ("node", "lease", "limits", "host", "process")}
                token = dict(version=1, session=os.urandom(16), token=os.urandom(16), addresses=[])
                self.line.send(frame(WELCOME, **mine, **token))
                return answer
            answer = self.line.receive()
        assert answer is None or answer.kind == REFUSED or (answer.kind, answer.version) == (WELCOME, 1), answer
        return answer

    # ---- sending ----

    def send(self, value, quietly=False):
        """Sends a frame; returns its number. Quietly: nothing if the session is over."""
        if not self.open:
            if quietly:
                return None
            raise Gone(self.bye)
        if value.kind >= 16:
            self.sent += 1
            data = wire.encode(value)
            size = len(data) if value.kind in (ROOT, CALL, REPLY, MORE) else 0
            self.ring += size
            self.unacknowledged.append((self.sent, size, time.monotonic()))
        else:
            data = wire.encode(value)
        try:
            self.line.send_bytes(data)
        except ConnectionError:
            self.end()
        return self.sent

    def room(self, size):
        """Waits until the ring of the receiver has room (3.5)."""
        self.node.until(lambda: not self.open or self.ring + size <= self.limits["ring"], "acknowledgements")

    def send_message(self, value, payload, references):
        """Sends a Call or Reply in as many frames as the receiver wants. What it names was marshalled just before."""
        limit = self.limits["frame"]
        value.size, value.payload = len(payload), payload[:limit]
        self.room(len(wire.encode(value)))
        first = self.send(value)
        for own in references:
            self.listed[own] = first
        for at in range(limit, len(payload), limit):
            self.room(limit + 32)
            self.send(frame(MORE, first=first, payload=payload[at : at + limit]))

    def marshal(self, value):
        """Payload, table, and the own objects in it."""
        table, places, own = wire.table(), {}, []

        def index(items, item):
            if item not in items:
                items.append(item)
            return items.index(item)

        def refer(thing):
            key = (type(thing), thing.id if isinstance(thing, Servant) else id(thing.entry), thing.interface)
            if key not in places:
                places[key] = Index(len(table.references))
                interface = index(table.interfaces, thing.interface)
                if isinstance(thing, Servant):
                    own.append(thing.id)
                    table.references.append((0, thing.id, interface, 0))
                else:
                    transfer, self.next_transfer = self.next_transfer, self.next_transfer + 1
                    thing.entry.pins += 1
                    self.pins[transfer] = thing.entry
                    home = thing.entry.session
                    about = (home.peer, [home.address])
                    owner = 1 if home.peer == self.peer else 2 + index(table.nodes, about)
                    table.references.append((owner, thing.entry.object, interface, transfer))
            return places[key]

        payload = msgpack.pack(value, refer)
        return payload, table, own

    # ---- calling ----

    def root(self, name):
        return self.answer(self.ask_root(name))

    def ask_root(self, name):
        call, self.next_call = self.next_call, self.next_call + 1
        self.calls[call] = None
        self.send(frame(ROOT, call=call, name=name))
        return call

    def call(self, reference, interface, method, arguments, **options):
        return self.answer(self.begin(reference.entry.object, interface, method, arguments), **options)

    def begin(self, object, interface, name, arguments, **changes):
        """Sends a call; returns its number."""
        payload, table, own = self.marshal(list(arguments))
        call, self.next_call = self.next_call, self.next_call + 1
        self.calls[call] = None
        fields = dict(call=call, target=(0, object), method=fnv1a(f"{interface}/{name}"), table=table)
        self.send_message(frame(CALL, **{**fields, **changes}), payload, own)
        return call

    def answer(self, call, limit=LIMIT):
        """Waits for the answer to a call. References in it are the caller's to drop."""
        self.node.until(lambda: self.calls[call] is not None or not self.open, f"the answer to {call}", limit)
        if self.calls[call] is None:
            raise Gone(self.bye)
        status, payload, references = self.calls.pop(call)
        value = msgpack.unpack(payload, lambda index: references[index])
        if status == OK:
            return value
        for reference in references:
            self.let_go(reference)
        raise Err(value) if status == ERR else Fault(value)

    def let_go(self, reference):
        if isinstance(reference, Reference) and not reference.kept:
            reference.drop()

    # ---- receiving ----

    def take(self):
        """Handles what has been read."""
        while self.open and (value := self.line.next()) is not None:
            if value.kind >= 16:
                self.received += 1
            self.seen.append((value.kind, self.received, getattr(value, "bytes", 0)))
            self.handle(value, self.received)
        if self.open and self.line.ended:
            self.end()

    def tick(self):
        """Acknowledges what was received (3.3), pings (7.6), gives up."""
        if not self.open:
            return
        now = time.monotonic()
        if self.received > self.told and not (self.deaf or self.quiet):
            self.told = self.received
            self.send(frame(ACK, n=self.told))
        if now - max(self.proven, self.last_ping) > self.lease / 3 and not self.quiet:
            self.stamps[self.next_stamp] = self.last_ping = now
            self.send(frame(PING, stamp=self.next_stamp))
            self.next_stamp += 1
        if now > self.proven + self.lease - self.lease / 32:
            self.end()

    def handle(self, value, number):
        match value.kind:
            case wire.ACK:
                assert self.acknowledged <= value.n <= self.sent, "an Ack of nothing"
                self.acknowledged = value.n
                while self.unacknowledged and self.unacknowledged[0][0] <= value.n:
                    _, size, self.proven = self.unacknowledged.popleft()
                    self.ring -= size
            case wire.PING:
                if not self.quiet:
                    self.send(frame(PONG, stamp=value.stamp))
            case wire.PONG:
                self.proven = max(self.proven, self.stamps.pop(value.stamp))
            case wire.ROOT:
                found = self.node.roots.get(value.name)
                missing = {"kind": "NotBound", "name": value.name, "at": "a stranger"}
                self.reply(value.call, *((OK, found) if found else (FAULT, missing)))
            case wire.CALL | wire.REPLY:
                value.references = [self.arrive(value.table, of) for of in value.table.references]
                value.chunks, value.left = [], value.size
                self.partial[number] = value
                self.more(number, value.payload)
            case wire.MORE:
                self.more(value.first, value.payload)
            case wire.ABORT:
                for reference in self.partial.pop(value.first).references:
                    self.let_go(reference)
            case wire.DIRTY:
                alive = value.object in self.node.objects
                if alive:
                    self.listed.setdefault(value.object, 0)
                self.send(frame(HELD if alive else GONE, object=value.object))
            case wire.HELD | wire.GONE:
                if value.object in self.probes:
                    return
                entry = self.entries[value.object]
                assert entry.asked, "nobody asked"
                entry.asked, entry.confirmed, entry.broken = False, value.kind == HELD, value.kind == GONE
                entry.settle()
            case wire.CLEAN:
                assert value.upto <= self.sent
                if value.object in self.listed and self.listed[value.object] <= value.upto:
                    del self.listed[value.object]
                    self.collect(value.object)
            case wire.UNPIN:
                entry = self.pins.pop(value.transfer)
                entry.pins -= 1
                entry.settle()
            case wire.BYE:
                self.end(value)
            case wire.UNSUPPORTED:
                self.unsupported.append((value.frame, value.text))
            case _:
                self.send(frame(UNSUPPORTED, frame=number, text=f"kind {value.kind}"))

    def arrive(self, table, reference):
        """A reference arrives (7.2, 7.4): the own object, or something that is held."""
        owner, object, interface, transfer = reference
        interface = table.interfaces[interface]
        if owner == 1:
            self.send(frame(UNPIN, transfer=transfer))
            return self.node.objects.get(object)
        if owner == 0:
            entry = self.entries.get(object)
            if entry is None:
                entry = self.entries[object] = Entry(self, object)
                entry.confirmed = True
            return Reference(entry, interface)
        node, addresses = table.nodes[owner - 2]
        home = self.node.session_with(node, addresses)
        entry = home.entries.setdefault(object, Entry(home, object))
        held = Reference(entry, interface)
        entry.owed.append((self, transfer))
        if not entry.confirmed and not entry.asked:
            entry.asked = True
            if home.withhold:
                home.withheld = lambda: home.send(frame(DIRTY, object=object))
            else:
                home.send(frame(DIRTY, object=object))
        entry.settle()
        return held

    def more(self, first, payload):
        """Bytes of a message have come; does what it says if these were the last."""
        value = self.partial[first]
        value.chunks.append(payload)
        value.left -= len(payload)
        assert value.left >= 0, "more than its size"
        if value.left:
            return
        del self.partial[first]
        payload = b"".join(value.chunks)
        if value.kind == REPLY:
            assert self.calls.get(value.call, "unknown") is None, f"a Reply to {value.call}"
            self.calls[value.call] = (value.status, payload, value.references)
        else:
            self.serve(value, payload)

    # ---- serving ----

    def serve(self, call, payload):
        status, answer = FAULT, None
        servant = self.node.objects.get(call.target[1])
        methods = {} if servant is None else {fnv1a(name): run for name, run in names_of(servant).items()}
        here = {"node": self.node.id}
        if servant is None:
            answer = {"kind": "NoSuchObject", **here, "object": call.target[1].hex()[:8]}
        elif call.method not in methods:
            answer = {"kind": "NoSuchMethod", **here, "call": "?", "interface": servant.interface}
        else:
            try:
                arguments = msgpack.unpack(payload, lambda index: call.references[index])
                status, answer = OK, methods[call.method](*arguments)
            except Err as error:
                status, answer = ERR, error.args[0]
            except Fault as fault:
                answer = fault.fields
            except Exception as error:
                answer = {"kind": "Panicked", **here, "call": "?", "message": repr(error)}
        self.reply(call.call, status, answer)
        for reference in call.references:
            self.let_go(reference)

    def reply(self, call, status, answer):
        payload, table, own = self.marshal(answer)
        if self.open:
            self.send_message(frame(REPLY, call=call, status=status, table=table), payload, own)

    def collect(self, object):
        """7.8."""
        servant = self.node.objects.get(object)
        listed = any(object in session.listed for session in self.node.sessions)
        if servant is not None and not servant.kept and not listed:
            del self.node.objects[object]

    # ---- the end ----

    def end(self, bye=None):
        """Ends the session here: nothing that came by it is of use any more."""
        self.open, self.bye = False, bye
        self.line.close()
        for entry in self.entries.values():
            entry.broken, entry.confirmed = True, False
        listed, self.listed = self.listed, {}
        for object in listed:
            self.collect(object)

    def say_bye(self, code=0, text=""):
        """Says Bye; returns whether the other side then closed the connection without a word."""
        self.line.send(frame(BYE, code=code, text=text, received=self.received))
        while (value := self.line.receive()) is not None:
            print(f"after Bye: kind {value.kind}")
        self.end()

    def last_words(self):
        """Reads until the node closes the connection; returns its last frame."""
        last = None
        while (value := self.line.receive()) is not None:
            last = value
        self.end()
        return last
