"""A daemon somewhere else: the ports of the store and the artifacts, over HTTP.

Whoever has a store and artifacts does not know where they are, so the verbs and the operations are the same for both.
"""
