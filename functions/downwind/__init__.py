"""From git push to a Spinnaker rollout. The map of the package, from the inside out:

errors, settings, logs   the bottom: one error tree, one frozen set of settings, JSON log lines
model/                   what the words mean: catalog, events, executions, names. Pure
events/                  wire forms in, events out; one module for each sender. Pure
render/, reconcile/      manifests to bundle bytes; facts to the steps that are due. Pure
ports.py                 small Protocols: what the effects need from the world
perform.py               steps to effects, through ports
adapters/                one file for each system we talk to, and its in-memory twin
wiring.py                settings to adapters; the only place that names concrete ones
cli/, local/             the command line; the whole world on a laptop

Imports point from the bottom of this list to its top; import-linter holds it (see .importlinter).
"""
