"""The network between the namespaces of a chaos test: `eth0` of each of them ends here.

Packets are passed on, delayed, lost or answered by a reset, as the lines on stdin say (milliseconds throughout):

    host NAME NETNS ADDRESS     opens eth0 in a namespace; says `ready NAME`
    drop X Y MS                 nothing gets from X to Y for so long
    lose X Y MS PERCENT         some packets from X to Y get lost
    slow X Y MS LEAST MOST      packets from X to Y take so long; they may overtake each other
    reset X Y                   every TCP connection between X and Y is reset, at both ends
    orphan X Y MS               the same, but Y is told later: until then what it sends in them vanishes
    count                       says a line of counts

Ends when stdin ends.
"""

import ctypes
import fcntl
import heapq
import os
import random
import select
import socket
import struct
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
CLONE_NEWNET = 0x40000000
TCP, FIN, SYN, RST, ACK = 6, 1, 2, 4, 16
MAX_QUEUED = 20_000


def open_in(namespace):
    """The other end of eth0 in a namespace."""
    libc = ctypes.CDLL(None, use_errno=True)

    def enter(descriptor):
        if libc.setns(descriptor, CLONE_NEWNET) != 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))

    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    away = os.open("/run/netns/" + namespace, os.O_RDONLY)
    enter(away)
    try:
        device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"eth0", IFF_TUN | IFF_NO_PI))
    finally:
        enter(home)
        os.close(home)
        os.close(away)
    return device


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Segment:
    """What matters of a TCP segment."""

    def __init__(self, packet):
        head = (packet[0] & 15) * 4
        (total,) = struct.unpack_from("!H", packet, 2)
        self.source, self.target = packet[12:16], packet[16:20]
        ports, self.seq, self.ack, offset, self.flags = struct.unpack_from("!4sIIBB", packet, head)
        self.ports = struct.unpack("!HH", ports)
        payload = total - head - (offset >> 4) * 4
        self.end = (self.seq + payload + bool(self.flags & (SYN | FIN))) & 0xFFFFFFFF

    def flow(self):
        """The same for both directions."""
        ends = (self.source, self.ports[0]), (self.target, self.ports[1])
        return min(ends), max(ends)


def reset_for(segment):
    """The reset that whoever sent `segment` takes for the other end's: it has just the number that is expected there."""
    seq = segment.ack if segment.flags & ACK else 0
    tcp = struct.pack("!HHIIBBHHH", *reversed(segment.ports), seq, segment.end, 0x50, RST | ACK, 0, 0, 0)
    pseudo = segment.target + segment.source + struct.pack("!BBH", 0, TCP, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, TCP, 0, segment.target, segment.source)
    return ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + tcp


class Rules:
    """What is done to packets from one host to another: each rule until its time is over."""

    def __init__(self):
        self.rules = {}

    def set(self, way, milliseconds, *values):
        self.rules[way] = (time.monotonic() + milliseconds / 1000, values)

    def find(self, way, now):
        until, values = self.rules.get(way, (0, ()))
        return values if now < until else None


class Network:
    def __init__(self):
        self.devices, self.names, self.hosts = {}, {}, {}
        self.drops, self.losses, self.delays = Rules(), Rules(), Rules()
        self.last = {}  # flow -> {source: the last segment seen from there}
        self.doomed = {}  # flow -> {source: from when on it is told by a reset}; what is still sent in it vanishes
        self.queue, self.number = [], 0
        self.begun = self.passed = self.octets = self.lost = self.resets = 0

    def add(self, name, namespace, address):
        device = open_in(namespace)
        self.devices[device], self.names[socket.inet_aton(address)] = name, name
        self.hosts[name] = device

    def reset(self, x, y, later=0):
        now = time.monotonic()
        for flow, last in list(self.last.items()):
            hosts = {self.names.get(host): host for host, _ in flow}
            if hosts.keys() == {x, y}:
                del self.last[flow]
                self.doomed[flow] = {hosts[x]: now, hosts[y]: now + later / 1000}
                self.resets += 1
                for segment in last.values():
                    self.push(self.doomed[flow][segment.source], self.names[segment.source], reset_for(segment))

    def take(self, source, packet):
        """A packet from a host."""
        target = self.names.get(bytes(packet[16:20])) if packet[0] >> 4 == 4 else None
        if target is None:
            return
        segment = Segment(packet) if packet[9] == TCP and len(packet) >= 40 else None
        if segment and self.is_over(segment):
            return
        way, now = (source, target), time.monotonic()
        loss = self.losses.find(way, now)
        if self.drops.find(way, now) is not None or loss and random.random() * 100 < loss[0]:
            self.lost += 1
            return
        least, most = self.delays.find(way, now) or (0, 0)
        if most == 0:
            self.write(target, packet)
        else:
            self.push(now + random.uniform(least, most) / 1000, target, packet)

    def push(self, due, target, packet):
        if len(self.queue) < MAX_QUEUED:
            self.number += 1
            heapq.heappush(self.queue, (due, self.number, target, packet))

    def is_over(self, segment):
        """Notes a segment; whether its connection was reset."""
        flow = segment.flow()
        if segment.flags & SYN and not segment.flags & ACK:
            self.doomed.pop(flow, None)
            self.begun += flow not in self.last
        if flow in self.doomed:
            if not segment.flags & RST and time.monotonic() >= self.doomed[flow][segment.source]:
                self.write(self.names[segment.source], reset_for(segment))
            return True
        if segment.flags & RST:
            self.last.pop(flow, None)
        else:
            self.last.setdefault(flow, {})[segment.source] = segment
        return False

    def write(self, name, packet):
        try:
            os.write(self.hosts[name], packet)
            self.passed += 1
            self.octets += len(packet)
        except OSError:  # the interface is down, or its queue is full
            self.lost += 1

    def due(self):
        """Delivers what has waited long enough; for how long nothing is to do."""
        while self.queue:
            wait = self.queue[0][0] - time.monotonic()
            if wait > 0:
                return wait
            _, _, target, packet = heapq.heappop(self.queue)
            self.write(target, packet)
        return None

    def obey(self, line):
        word, *rest = line.split()
        if word == "host":
            self.add(*rest)
            say("ready " + rest[0])
        elif word == "reset":
            self.reset(*rest)
        elif word == "orphan":
            self.reset(rest[0], rest[1], float(rest[2]))
        elif word == "count":
            say(f"{self.begun} connections, {self.resets} reset; {self.passed} packets, {self.octets} bytes, {self.lost} lost")
        else:
            rules = {"drop": self.drops, "lose": self.losses, "slow": self.delays}[word]
            rules.set((rest[0], rest[1]), *map(float, rest[2:]))

    def run(self):
        orders = b""
        while True:
            ready, _, _ = select.select([0, *self.devices], [], [], self.due())
            for descriptor in ready:
                if descriptor:
                    self.read(descriptor)
                    continue
                some = os.read(0, 65536)
                if not some:
                    return
                *lines, orders = (orders + some).split(b"\n")
                for line in lines:
                    self.obey(line.decode())

    def read(self, device):
        for _ in range(64):  # others have their turn
            try:
                packet = os.read(device, 65536)
            except OSError:  # nothing more, or the interface is down
                return
            self.take(self.devices[device], packet)


def say(text):
    print(text, flush=True)


if __name__ == "__main__":
    try:
        Network().run()
    except OSError as error:
        sys.exit(f"emulator: {error}")
