"""MessagePack, as much of it as the payloads of PROTOCOL.md need. A reference is extension type 1 (5.4)."""

import struct


class Malformed(Exception):
    """Bytes that are not what the protocol says."""


class Index(int):
    """A reference in a payload: an index into the table of its message."""


def pack(value, refer=None):
    """The bytes of `value`. `refer(value)` makes an index of what is not a plain value."""
    out = bytearray()
    _pack(out, value, refer)
    return bytes(out)


def _pack(out, value, refer):
    if value is None:
        out.append(0xC0)
    elif value is True or value is False:
        out.append(0xC3 if value else 0xC2)
    elif isinstance(value, Index):
        out += b"\xd6\x01" + struct.pack(">I", value)
    elif isinstance(value, int):
        _pack_int(out, value)
    elif isinstance(value, float):
        out += b"\xcb" + struct.pack(">d", value)
    elif isinstance(value, str):
        data = value.encode()
        _head(out, len(data), (0xA0, 32), (0xD9, 0xDA, 0xDB))
        out += data
    elif isinstance(value, (bytes, bytearray)):
        _head(out, len(value), None, (0xC4, 0xC5, 0xC6))
        out += value
    elif isinstance(value, (list, tuple)):
        _head(out, len(value), (0x90, 16), (None, 0xDC, 0xDD))
        for item in value:
            _pack(out, item, refer)
    elif isinstance(value, dict):
        _head(out, len(value), (0x80, 16), (None, 0xDE, 0xDF))
        for key, item in value.items():
            _pack(out, key, refer)
            _pack(out, item, refer)
    elif refer is not None:
        _pack(out, refer(value), None)
    else:
        raise TypeError(f"{value!r} has no MessagePack")


def _pack_int(out, value):
    if 0 <= value < 0x80:
        out.append(value)
    elif -32 <= value < 0:
        out.append(value & 0xFF)
    elif value > 0:
        for tag, form in ((0xCC, ">B"), (0xCD, ">H"), (0xCE, ">I"), (0xCF, ">Q")):
            if value < 1 << 8 * struct.calcsize(form):
                out.append(tag)
                out += struct.pack(form, value)
                return
        raise ValueError(value)
    else:
        for tag, form in ((0xD0, ">b"), (0xD1, ">h"), (0xD2, ">i"), (0xD3, ">q")):
            if -value <= 1 << 8 * struct.calcsize(form) - 1:
                out.append(tag)
                out += struct.pack(form, value)
                return
        raise ValueError(value)


def _head(out, length, short, tags):
    if short and length < short[1]:
        out.append(short[0] | length)
        return
    for tag, form in zip(tags, (">B", ">H", ">I")):
        if tag is not None and length < 1 << 8 * struct.calcsize(form):
            out.append(tag)
            out += struct.pack(form, length)
            return
    raise ValueError("too long")


def unpack(data, resolve=Index):
    """The value of `data`; references are `resolve(index)`."""
    reader = _Reader(data, resolve)
    value = reader.value()
    if reader.at != len(data):
        raise Malformed("more than a value")
    return value


_NUMBERS = {
    0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q",
}  # fmt: skip
_SIZES = {0: ">B", 1: ">H", 2: ">I"}


class _Reader:
    def __init__(self, data, resolve):
        self.data, self.at, self.resolve = data, 0, resolve

    def take(self, count):
        if self.at + count > len(self.data):
            raise Malformed("a truncated value")
        self.at += count
        return bytes(self.data[self.at - count : self.at])

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def value(self):
        tag = self.take(1)[0]
        if tag < 0x80:
            return tag
        if tag < 0x90:
            return self.map(tag & 15)
        if tag < 0xA0:
            return self.array(tag & 15)
        if tag < 0xC0:
            return self.take(tag & 31).decode()
        if tag >= 0xE0:
            return tag - 256
        if tag in (0xC0, 0xC2, 0xC3):
            return {0xC0: None, 0xC2: False, 0xC3: True}[tag]
        if tag in _NUMBERS:
            return self.number(_NUMBERS[tag])
        if 0xC4 <= tag <= 0xC6:
            return self.take(self.number(_SIZES[tag - 0xC4]))
        if 0xD9 <= tag <= 0xDB:
            return self.take(self.number(_SIZES[tag - 0xD9])).decode()
        if tag in (0xDC, 0xDD):
            return self.array(self.number(_SIZES[tag - 0xDB]))
        if tag in (0xDE, 0xDF):
            return self.map(self.number(_SIZES[tag - 0xDD]))
        if 0xC7 <= tag <= 0xC9:
            return self.extension(self.number(_SIZES[tag - 0xC7]))
        if 0xD4 <= tag <= 0xD8:
            return self.extension(1 << tag - 0xD4)
        raise Malformed(f"tag {tag:#x}")

    def array(self, count):
        return [self.value() for _ in range(count)]

    def map(self, count):
        return {self.value(): self.value() for _ in range(count)}

    def extension(self, size):
        kind = self.number(">b")
        if (kind, size) != (1, 4):
            raise Malformed(f"extension {kind} of {size} bytes")
        return self.resolve(self.number(">I"))
