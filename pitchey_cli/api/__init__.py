"""The HTTP face, in a process of its own beside the daemon: requests in, operations called, JSON out.

    server -> app -> table (method, path, role) -> endpoint -> handlers (jobs, results, ...) -> operations -> store

Thin on purpose: no rule of the queue, of money or of access is made here. A handler never has a plain store in its
hands, but one that is apart (store/apart.py) and noted (store/noted.py) for whoever asks; see `call.py`.
"""
