"""What runs inside an instance. Knows nothing of queues, engines or the host; `protocol` is all the two share."""
