"""In front of the worker of an instance that shares no files with the host: fetches, hands over, stores.

    __main__    options, and the secret and the key, which are read once
    server      TLS, and who may speak: START HERE
    routes      the requests of processors/protocol.py, answered by the table of attempts
    attempt     one attempt: its inputs come, its worker works, its outputs go
    fetching    one input by its link: resumed, counted, hashed
    storing     what the worker has left, looked at without trust, and sent by links
    worker      the worker behind it, over its Unix socket
    exchange    one HTTP request: the client of all of these

The porter runs in a container of its own, and shares three directories with the worker's. It alone has a network, the
secret, the key and the links: what decodes other people's media can neither reach anything nor read them. What the
worker says and leaves is as untrusted here as it is on the host.
"""
