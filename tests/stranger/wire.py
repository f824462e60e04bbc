"""Frames and their bytes: PROTOCOL.md 1, 2, 3 and 5."""

import socket
import time
from types import SimpleNamespace

from msgpack import Malformed

PREFACE = b"RMI\x01"
HELLO, WELCOME, REFUSED, RESUME, RESUMED, EXPIRED, ACK, PING, PONG = 1, 2, 3, 4, 5, 6, 8, 9, 10
ROOT, CALL, REPLY, DIRTY, HELD, GONE, CLEAN, UNPIN, BYE, MORE, ABORT, UNSUPPORTED = range(16, 28)
OK, ERR, FAULT = 0, 1, 2
NOBODY = bytes(16)

# 2.5, in order.
DEFAULTS = {
    "frame": 131_072, "table": 262_144, "message": 67_108_864, "references": 4_096,
    "calls": 4_096, "ring": 16_777_216, "objects": 1_000_000, "partial": 268_435_456,
}  # fmt: skip


def fnv1a(text):
    """The number of a method (4.2)."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 % (1 << 64)
    return value


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def left(self):
        return len(self.data) - self.at

    def take(self, count):
        if count > self.left():
            raise Malformed("a truncated frame")
        self.at += count
        return bytes(self.data[self.at - count : self.at])


# ---- field types: a pair of functions each ----


def fixed(size):
    return (lambda value: value.to_bytes(size, "big"), lambda reader: int.from_bytes(reader.take(size), "big"))


def put_varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def get_varint(reader):
    value = 0
    for shift in range(0, 70, 7):
        byte = reader.take(1)[0]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if (byte == 0 and shift) or value >= 1 << 64:
                raise Malformed("a varint")
            return value
    raise Malformed("a varint")


def put_bytes(value):
    return put_varint(len(value)) + value


def get_bytes(reader):
    return reader.take(get_varint(reader))


def put_string(value):
    return put_bytes(value.encode())


def get_string(reader):
    return get_bytes(reader).decode()


def put_list(put):
    return lambda values: put_varint(len(values)) + b"".join(put(value) for value in values)


def get_list(get):
    return lambda reader: [get(reader) for _ in range(get_varint(reader))]


def put_options(options):
    return put_bytes(b"".join(put_varint(tag) + put_bytes(value) for tag, value in sorted(options.items())))


def get_options(reader):
    inside, options, last = Reader(get_bytes(reader)), {}, -1
    while inside.left():
        tag = get_varint(inside)
        if tag <= last:
            raise Malformed("the order of options")
        options[tag] = get_bytes(inside)
        last = tag
    return options


def put_limits(limits):
    return put_list(put_varint)(list(limits.values()))


def get_limits(reader):
    return {**DEFAULTS, **dict(zip(DEFAULTS, get_list(get_varint)(reader)))}


def put_target(target):
    tag, value = target
    return bytes([tag]) + (value if tag == 0 else put_bytes(value))


def get_target(reader):
    tag = reader.take(1)[0]
    return (tag, reader.take(16) if tag == 0 else get_bytes(reader))


def table(nodes=(), interfaces=(), references=()):
    """A reference table (5.1): (id, addresses), names, (owner, object, interface, transfer)."""
    return SimpleNamespace(nodes=list(nodes), interfaces=list(interfaces), references=list(references))


def put_table(value):
    out = put_varint(len(value.references))
    if not value.references:
        return out
    out += put_list(lambda node: node[0] + put_list(put_string)(node[1]))(value.nodes)
    out += put_list(put_string)(value.interfaces)
    for owner, target, interface, transfer in value.references:
        out += put_varint(owner) + target + put_varint(interface) + put_varint(transfer)
    return out


def get_table(reader):
    count = get_varint(reader)
    if count == 0:
        return table()
    value = table(get_list(lambda r: (r.take(16), get_list(get_string)(r)))(reader), get_list(get_string)(reader))
    for _ in range(count):
        value.references.append((get_varint(reader), reader.take(16), get_varint(reader), get_varint(reader)))
    for owner, _, interface, _ in value.references:
        if owner >= 2 + len(value.nodes) or interface >= len(value.interfaces):
            raise Malformed("an index in a table")
    return value


U8, U16, U64 = fixed(1), fixed(2), fixed(8)
VARINT = (put_varint, get_varint)
ID = (lambda value: value, lambda reader: reader.take(16))
BYTES, STRING = (put_bytes, get_bytes), (put_string, get_string)
STRINGS = (put_list(put_string), get_list(get_string))
OPTIONS, LIMITS, TABLE = (put_options, get_options), (put_limits, get_limits), (put_table, get_table)
TARGET = (put_target, get_target)
REST = (lambda value: value, lambda reader: reader.take(reader.left()))

_SELF = dict(lease=VARINT, limits=LIMITS, host=U64, process=U64, addresses=STRINGS, options=OPTIONS)
BODIES = {
    HELLO: dict(lowest=U16, highest=U16, node=ID, meant=ID, flags=U8, **_SELF),
    WELCOME: dict(version=U16, node=ID, session=ID, token=BYTES, **_SELF),
    REFUSED: dict(code=U8, text=STRING),
    RESUME: dict(session=ID, token=BYTES, received=VARINT),
    RESUMED: dict(received=VARINT, token=BYTES),
    EXPIRED: dict(node=ID),
    ACK: dict(n=VARINT),
    PING: dict(stamp=VARINT),
    PONG: dict(stamp=VARINT),
    ROOT: dict(call=VARINT, name=STRING, options=OPTIONS),
    CALL: dict(call=VARINT, target=TARGET, method=U64, options=OPTIONS, table=TABLE, size=VARINT, payload=REST),
    REPLY: dict(call=VARINT, status=U8, options=OPTIONS, table=TABLE, size=VARINT, payload=REST),
    DIRTY: dict(object=ID),
    HELD: dict(object=ID),
    GONE: dict(object=ID),
    CLEAN: dict(object=ID, upto=VARINT),
    UNPIN: dict(transfer=VARINT),
    BYE: dict(code=U8, text=STRING, received=VARINT),
    MORE: dict(first=VARINT, payload=REST),
    ABORT: dict(first=VARINT),
    UNSUPPORTED: dict(frame=VARINT, text=STRING),
}
_ABSENT = {"options": {}, "table": table(), "text": ""}


def frame(kind, **fields):
    """A frame. A kind without a name here has a `body`."""
    return SimpleNamespace(kind=kind, **fields)


def encode(value):
    body = bytes([value.kind])
    if value.kind not in BODIES:
        body += value.body
    else:
        for name, (put, _) in BODIES[value.kind].items():
            body += put(getattr(value, name) if hasattr(value, name) else _ABSENT[name])
    return len(body).to_bytes(4, "big") + body


def decode(data):
    """The frame in `data`, which begins after the length."""
    reader = Reader(data)
    kind = reader.take(1)[0]
    if kind not in BODIES:
        if not 16 <= kind < 128:
            raise Malformed(f"kind {kind}")
        return frame(kind, body=reader.take(reader.left()))
    value = frame(kind, **{name: get(reader) for name, (_, get) in BODIES[kind].items()})
    if reader.left():
        raise Malformed(f"kind {kind} is too long")
    return value


class Line:
    """A TCP connection that carries frames. Nothing is checked and nothing is answered here."""

    def __init__(self, address):
        host, port = address.removeprefix("tcp://").rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=10)
        self.buffer = bytearray()
        self.preface = None
        self.count = 0
        self.ended = False

    def send(self, *frames):
        self.send_bytes(b"".join(encode(value) for value in frames))

    def send_bytes(self, data):
        self.socket.settimeout(10)
        self.socket.sendall(data)

    def fill(self, timeout):
        """Reads what is there, or waits so long. False: nothing came."""
        self.socket.settimeout(max(timeout, 0.0001))
        try:
            data = self.socket.recv(1 << 18)
        except TimeoutError:
            return False
        except ConnectionError:
            data = b""
        self.buffer += data
        self.ended = self.ended or not data
        return bool(data)

    def next(self):
        """A frame that has been read, or None."""
        if self.preface is None and len(self.buffer) >= 4:
            self.preface = bytes(self.buffer[:4])
            del self.buffer[:4]
            if self.preface != PREFACE:
                raise Malformed("the preface")
        if self.preface is None or len(self.buffer) < 4:
            return None
        length = int.from_bytes(self.buffer[:4], "big")
        if len(self.buffer) < 4 + length:
            return None
        value = decode(bytes(self.buffer[4 : 4 + length]))
        value.bytes = 4 + length
        self.count += 1
        del self.buffer[: 4 + length]
        return value

    def receive(self, limit=10):
        """The next frame, or None if the other side closed the connection."""
        until = time.monotonic() + limit
        while (value := self.next()) is None:
            if self.ended:
                return None
            if time.monotonic() > until:
                raise AssertionError("no frame, and no end")
            self.fill(until - time.monotonic())
        return value

    def close(self):
        self.socket.close()
