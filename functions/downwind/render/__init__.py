"""Kubernetes objects in, bundle bytes out. Pure: no I/O, no clock, no environment.

`yaml_reader` reads files, `bundle.make_bundle` pins, marks, checks and serialises. The engines (plain YAML, Kustomize,
Helm) are adapters behind `ports.Renderer` and come before this package.
"""
