"""Facts in, steps out. Pure: no I/O, no clock, no environment.

names       the names of ledger objects, and nothing else knows them
facts       one recorded fact; the snapshot of all that one decision reads
log         entries of an environment's log, the only order there is
rollouts    the attempts of one entry, and what their ends mean
recording   what an event writes down before anything else happens
wanted      which lists a decision still needs
admit       when a ref's tip, a promotion or a request becomes an entry
releases    when a release is complete: every image has a digest
due         next_steps: everything that is due now, and what the rest waits for
stamp       the sequence into a bundle
"""
