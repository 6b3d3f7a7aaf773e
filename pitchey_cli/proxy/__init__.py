"""The way out for programs that nobody trusts: HTTPS through CONNECT, to hosts that are allowed, and to nothing else.

    server      the Unix socket, and what one connection may be: START HERE
    request     the head of a CONNECT, read, and how it is answered
    dialling    to the very address that was checked, or through the proxy that this host has itself
    relay       bytes both ways, counted, until somebody ends it or nothing moves

Who may be reached is decided in pitchey_cli.domain.egress. A proxy belongs to one slot, and ends with it.
"""
