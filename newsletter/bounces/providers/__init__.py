"""What mail providers tell about our mail over HTTP: each one's events as Reports, and whether it was the provider.

Pure: a body in, events out; a signature is checked before the body is read. Only here is an address believed, since a
channel that proved itself says it.
"""
