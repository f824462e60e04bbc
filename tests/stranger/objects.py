"""Objects and references, seen from a session: PROTOCOL.md 4.9, 7.2 to 7.5 and 7.8."""

import os

from wire import CLEAN, UNPIN, frame


class Err(Exception):
    """A method returned an error: status 1."""


class Fault(Exception):
    """A call failed outside of its method: status 2."""

    def __init__(self, fields):
        super().__init__(fields)
        self.kind, self.fields = fields["kind"], fields


class Gone(Exception):
    """The session is over."""


class Servant:
    """An own object: the functions of an interface by name. `kept`: held locally (7.8)."""

    def __init__(self, node, interface, ancestors=(), **methods):
        self.id, self.interface, self.ancestors, self.methods = os.urandom(16), interface, ancestors, methods
        self.kept = True
        node.objects[self.id] = self


class Entry:
    """An import entry (7.2): of an object of the peer of one session."""

    def __init__(self, session, object):
        self.session, self.object = session, object
        self.confirmed = self.asked = self.broken = False
        self.references = self.pins = 0
        self.owed = []

    def settle(self):
        """What must be said when something has changed."""
        if self.confirmed or self.broken:
            owed, self.owed = self.owed, []
            for session, transfer in owed:
                session.send(frame(UNPIN, transfer=transfer), quietly=True)
        unused = self.references == 0 and self.pins == 0
        if unused and self.session.entries.get(self.object) is self and (self.confirmed or self.broken):
            del self.session.entries[self.object]
            if self.confirmed:
                self.session.send(frame(CLEAN, object=self.object, upto=self.session.received), quietly=True)


class Reference:
    """One reference that is held. `drop` it."""

    def __init__(self, entry, interface):
        self.entry, self.interface, self.kept = entry, interface, False
        entry.references += 1

    def call(self, method, *arguments, interface=None, **options):
        return self.entry.session.call(self, interface or self.interface, method, arguments, **options)

    def describe(self):
        return self.entry.session.call(self, "rmi.Object", "describe", ())

    def clone(self):
        return Reference(self.entry, self.interface)

    def drop(self):
        self.entry.references -= 1
        self.entry.settle()


def names_of(servant):
    """Everything it answers, by the text of which the hash is the method (4.2, 4.9)."""
    names = {f"{servant.interface}/{name}": run for name, run in servant.methods.items()}
    for ancestor in servant.ancestors:
        names.update({f"{ancestor}/{name}": run for name, run in servant.methods.items()})
    names["rmi.Object/describe"] = lambda: describe(servant)
    return names


def describe(servant):
    argument = {"name": "n", "ty": "u64"}
    methods = [{"name": name, "docs": "", "arguments": [argument], "returns": ""} for name in servant.methods]
    return {"name": servant.interface, "docs": "", "ancestors": list(servant.ancestors), "methods": methods}
