"""What the stranger does with the nodes of a test: `checks.py SCENARIO ADDRESS..`."""

import sys

import breaches
import leases
import references
import sizes
import values

SCENARIOS = {
    "values": values.values,
    "references": references.references,
    "third": references.third,
    "attached": references.attached,
    "sizes": sizes.sizes,
    "bounds": sizes.bounds,
    "dies": leases.dies,
    "falls_silent": leases.falls_silent,
    "breaches": breaches.breaches,
    "refusals": breaches.refusals,
}

if __name__ == "__main__":
    SCENARIOS[sys.argv[1]](*sys.argv[2:])
