"""Steps to effects, through ports: record, then reconcile.

ledger       facts to objects and back
applications  which applications an event names (the catalog's index)
record       one message: verified and parsed, then written down
effects      one step: its calls, its result as facts
reconciler   the loop: read, ask next_steps, perform, repeat
tick         the minute's round of what is open, and the patrol
"""
