"""The way out to hosts that strangers have named: inputs of jobs, and webhooks.

    reaching    which addresses a host is at, and which of these may be reached: START HERE
    posting     one message to a webhook

Programs that nobody trusts have a way of their own, pitchey_cli.proxy.
"""
