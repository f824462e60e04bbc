"""The lease: PROTOCOL.md 7.6 and 9.2."""

import time

from peer import Node, Servant
from report import at, ok, same
from wire import BYE, PING


def dies(address):
    """Holds and lends; is killed there."""
    node = Node()
    shelf = node.dial(address).root("shelf")
    item = shelf.call("make")
    shelf.call("put", Servant(node, "rmi.Item", ping=lambda n: n))
    same("it is held", item.call("ping", 1), 2)
    at("holds", node)


def falls_silent(address):
    node = Node()
    session = node.dial(address)
    shelf = session.root("shelf")
    item = shelf.call("make")
    shelf.call("put", Servant(node, "rmi.Item", ping=lambda n: n))
    node.idle(2 * session.lease)
    same("an idle session is kept by Pings", item.call("ping", 1), 2)
    same("which both sides answer", shelf.call("ping_top", 1), 1)
    ok("the node pings, too", PING in [kind for kind, _, _ in session.seen])
    at("idle", node)

    session.quiet = True
    begin = time.monotonic()
    last = session.last_words()
    silence = time.monotonic() - begin
    ok("a lease ends without Bye (9.2)", last is None or last.kind != BYE)
    ok("not before its time", silence > session.lease * 0.6)
    at("silent", node)
