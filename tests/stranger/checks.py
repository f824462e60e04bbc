"""What the stranger does with nodes of the crate: `checks.py SCENARIO ADDRESS..`.

Prints `ok WHAT` for a check that holds, and `at POINT` where it waits for a line from the test.
"""

import pathlib
import sys
import traceback
from peer import *
import wire

def explore(node, call):
    try:
        print("   ", call())
    except (Err, Fault) as e:
        print("   ", type(e).__name__, e.args[0])
    except Gone as e:
        print("    GONE", e)

def values(address):
    node = Node()
    s = node.dial(address)
    desk = s.root("desk")
    print(desk.interface, s.welcome)
    E = lambda *a, **k: explore(node, lambda: desk.call(*a, **k))
    E("add", 1, 2)
    E("add", 2**64-1, 0)
    E("add", -1, 0)
    E("add", 1.0, 0)
    E("add", 1)
    E("add", 1, 2, 3)
    E("greet", "x")
    E("reverse", b"abc")
    E("reverse", [1,2,255])
    E("count", ["a","b","a"])
    o={"lines":[("a",-1),["b",70000]],"note":None,"payment":"Cash","prices":{"a":1.5,"b":2}}
    for p in ["Cash", {"Card":7}, {"Split":[1,2]}, {"Cheque":{"bank":"b"}}, {"Cash":None}, 0, {1:7}, ["Cash"]]:
        E("order", {**o,"payment":p})
    E("order", [o["lines"],None,"Cash",o["prices"]])
    E("order", {"lines":[],"payment":"Cash","prices":{}})
    E("order", {**o, "more": 1})
    E("fail", 0); E("fail", 3)
    E("panic")
    E("nothing")
    E("add", 1, 2, interface="Shelf")
    E("describe", interface="rmi.Object")
    explore(node, lambda: s.root("none"))
    item = Servant(node, "rmi.Item", ping=lambda n: n)
    def bad(n): raise Fault({"kind":"Overloaded","node":node.id,"what":"me"})
    E("fault", item)
    item.methods["ping"]=bad
    E("fault", item)
    def bad(n): raise Fault({"kind":"Weird","node":node.id,"what":"me"})
    item.methods["ping"]=bad
    E("fault", item)
    def bad(n): raise Err({"kind":"NotBound","name":"n","at":"a"})
    item.methods["ping"]=bad
    E("fault", item)
    item.methods["ping"]=lambda n: "x"
    E("fault", item)
    del item.methods["ping"]
    E("fault", item)
    other = Servant(node, "Other", ping=lambda n: n)
    E("fault", other)
    sub = Servant(node, "rmi.SubItem", ("rmi.Item",), ping=lambda n: n)
    E("fault", sub)
    print(s.seen)
    class X: pass
    ref = Reference(Entry(s, bytes(16)), "Desk")
    explore(node, lambda: ref.call("add",1,2))
    explore(node, lambda: desk.describe()["methods"][0])
    # a reference not in the table
    s.marshal = lambda v, m=s.marshal: (msgpack.pack(v), wire.table(), [])
    E("fault", Index(0))
    print(s.open)
    desk.drop()
    print(s.say_bye())

if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
