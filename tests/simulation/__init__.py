"""The simulator: the production code, unchanged, in one deterministic process.

scheduler   virtual time; workers (greenlets) are switched inside their ports and nowhere else
fate        what goes wrong at which point: drawn from a seed, or written down for the exhaustive run
ports       the in-memory twins with those points before and after each call
outside     people, git host, Cloud Build, registry, Pub/Sub: they push, build, publish, answer
spinnaker   Gate, Orca with its races, and the API server's admission policy
shop        the applications that are played, and messages in their real shapes
history     one seeded history, from the first push to a settled end
check       what must hold then
flows       what the exhaustive run plays: a calm beginning, a window for faults, and what comes after it
exhaustive  every point times every fault, all pairs, all orders
mutants     planted faults of the protocol, each of which must be found
"""
