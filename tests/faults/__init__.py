"""The kill loop: seeded runs in which processes die and the network lies, each ended by the oracle. `make faults`."""
