"""What the stranger tells the test: `ok WHAT` for a check that holds, `at POINT` where it waits for a line."""

from peer import Err, Fault


def ok(what, holds=True):
    if not holds:
        raise AssertionError(what)
    print("ok", what)


def same(what, got, wanted):
    if got != wanted:
        raise AssertionError(f"{what}: {got!r}, not {wanted!r}")
    print("ok", what)


def fails(what, kind, run):
    """It fails with this fault; returns its fields."""
    try:
        value = run()
    except Fault as fault:
        same(what, fault.kind, kind)
        return fault.fields
    raise AssertionError(f"{what}: {value!r}, not the fault {kind}")


def errs(what, wanted, run):
    """The method returns this error."""
    try:
        value = run()
    except Err as error:
        return same(what, error.args[0], wanted)
    raise AssertionError(f"{what}: {value!r}, not the error {wanted!r}")


def at(point, node):
    """Waits for the test, serving whoever calls."""
    print("at", point)
    node.line_of_input()
