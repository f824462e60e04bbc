"""Values, errors and faults (4, 10), and the golden bytes."""

import pathlib

import msgpack
import wire
from peer import DESCRIBE, Err, Fault, Node, Servant
from report import errs, fails, ok, same
from wire import fnv1a, frame

GOLDEN = pathlib.Path(__file__).parents[2] / "rmi-core/src/wire/golden"


def golden(name):
    """The entries of a file of golden bytes."""
    entries = []
    for line in (GOLDEN / name).read_text().splitlines():
        if line.startswith("== "):
            entries.append([line[3:], b""])
        elif entries and not line.startswith(("#", "!")):
            entries[-1][1] += bytes.fromhex(line.split("#")[0])
    return entries


def values(address):
    for name, data in golden("frames.txt"):
        if wire.encode(wire.decode(data[4:])) != data:
            raise AssertionError(f"golden bytes of {name}")
    for _, data in golden("skipped.txt"):
        wire.decode(data[4:])
    ok("golden frames, both ways", len(golden("frames.txt")) > 20)
    same("the hash of a method", fnv1a("Printer/print"), 0x60BA3F1F688A63B7)

    node = Node()
    session = node.dial(address)
    fails("a name that is not published", "NotBound", lambda: session.root("nobody"))
    desk = session.root("desk")
    same("the interface of a root", desk.interface, "rmi.Desk")
    plain(desk)
    structs(desk)
    faults(session, desk)
    own(node, desk)
    described(desk)
    desk.drop()
    session.say_bye()


def plain(desk):
    same("numbers", desk.call("add", 1, 2), 3)
    same("the greatest number", desk.call("add", (1 << 64) - 1, 0), (1 << 64) - 1)
    same("further arguments are ignored (4.3)", desk.call("add", 1, 2, "more", None), 3)
    same("a string", desk.call("greet", "stränger"), "hello, stränger")
    same("bytes", desk.call("reverse", b"\x01\x02\xff"), b"\xff\x02\x01")
    same("bytes as an array", desk.call("reverse", [1, 2, 255]), b"\xff\x02\x01")
    same("an array", desk.call("sort", ["b", "a"]), ["a", "b"])
    same("a map", desk.call("count", ["b", "a", "b"]), {"a": 1, "b": 2})
    wide = msgpack.pack([0, 0]).replace(b"\0", b"\xcf" + bytes(7) + b"\x04")
    session = desk.entry.session
    session.marshal, marshal = (lambda _: (wide, wire.table(), [])), session.marshal
    same("a number in its longest form", desk.call("add"), 8)
    session.marshal = marshal


def structs(desk):
    """4.10."""
    order = {"lines": [["nut", -1], ["bolt", 70_000]], "note": None, "prices": {"nut": 1.5, "bolt": 2.0}}
    for payment in ("Cash", {"Card": 7}, {"Split": [1, 2]}, {"Cheque": {"bank": "b"}}):
        whole = {**order, "payment": payment}
        same(f"a struct with the variant {payment}", desk.call("order", whole), whole)
    whole = {**order, "payment": "Cash", "note": "x"}
    same("an optional field that is there", desk.call("order", whole), whole)
    same("an unknown field is ignored", desk.call("order", {**whole, "more": 1}), whole)
    in_order = [whole["lines"], "x", "Cash", whole["prices"]]
    same("a struct as an array", desk.call("order", in_order), whole)


def faults(session, desk):
    errs("an error without fields", "Closed", lambda: desk.call("fail", 0))
    errs("an error with fields", {"Short": {"missing": 3}}, lambda: desk.call("fail", 3))
    missing = fails("a missing argument (4.3)", "BadArgument", lambda: desk.call("add", 1))
    same("which", (missing["call"], missing["argument"]), ("rmi.Desk/add", "b"))
    fails("an argument of another type", "BadArgument", lambda: desk.call("add", -1, "x"))
    fails("a reference that is not in the table", "BadArgument", lambda: desk.call("fault", msgpack.Index(0)))
    panicked = fails("a panic", "Panicked", lambda: desk.call("panic"))
    same("its node", panicked["node"], session.peer)
    fails("no such method", "NoSuchMethod", lambda: desk.call("nothing"))
    fails("no such interface", "NoSuchMethod", lambda: desk.call("add", 1, 2, interface="rmi.Shelf"))
    nobody = session.begin(bytes(16), "rmi.Desk", "add", [1, 2])
    gone = fails("no such object", "NoSuchObject", lambda: session.answer(nobody))
    ok("its digest", len(gone["object"]) == 8 and int(gone["object"], 16) >= 0)
    for what, changes in (("target", {"target": (5, b"abc")}), ("option", {"options": {1: b"x"}})):
        strange = session.begin(desk.entry.object, "rmi.Desk", "add", [1, 2], **changes)
        fails(f"an unknown {what} (3.4)", "Unsupported", lambda: session.answer(strange))
    known = session.begin(desk.entry.object, "rmi.Desk", "add", [1, 2], options={4: b"x"})
    same("an option to be skipped", session.answer(known), 3)
    number = session.send(frame(77, body=b"abc"))
    session.node.until(lambda: session.unsupported, "Unsupported")
    same("an unknown kind (3.4)", session.unsupported[0][0], number)


def own(node, desk):
    """How the failures of an own object arrive at a servant, which returns them as its own error."""
    item = Servant(node, "rmi.Item", ping=lambda n: n)

    def answers(what, answer, wanted):
        item.methods["ping"] = answer
        errs(what, {"Remote": wanted}, lambda: desk.call("fault", item))

    def throw(error):
        raise error

    same("a call of an own object", desk.call("fault", item), None)
    overloaded = {"kind": "Overloaded", "node": node.id, "what": "the stranger"}
    answers("a fault passes through", lambda n: throw(Fault(overloaded)), overloaded)
    answers("a fault of a later version", lambda n: throw(Fault({"kind": "Late", "x": 1})), {"kind": "Unknown"})
    inner = {"kind": "NotBound", "name": "n", "at": "a"}
    wrapped = {"kind": "Forwarded", "by": node.id, "error": inner}
    answers("a RemoteError of its own is forwarded", lambda n: throw(Err(inner)), wrapped)
    answers("but once", lambda n: throw(Err(wrapped)), wrapped)
    item.methods["ping"] = lambda n: "text"
    try:
        desk.call("fault", item)
    except Err as error:
        same("a reply of another type", error.args[0]["Remote"]["kind"], "BadReply")
    other = Servant(node, "rmi.Other", ("rmi.Item",), ping=lambda n: n)
    fails("a reference to another interface (5.5)", "BadArgument", lambda: desk.call("fault", other))


def described(desk):
    text = desk.describe()
    same("describe (4.9)", (text["name"], text["docs"], text["ancestors"]), ("rmi.Desk", "A desk.", []))
    arguments = [{"name": "a", "ty": "u64"}, {"name": "b", "ty": "u64"}]
    returns = text["methods"][0]["returns"]
    method = {"name": "add", "docs": "Adds.", "arguments": arguments, "returns": returns, "idempotent": False, "no_cancel": False}
    ok("its methods", text["methods"][0] == method)
    session = desk.entry.session
    call = session.begin(desk.entry.object, "rmi.Desk", "?", [], method=DESCRIBE)
    same("its hash", session.answer(call)["name"], "rmi.Desk")
