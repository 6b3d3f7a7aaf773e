"""What `pitchey models` does: find, add, verify and remove the models of this machine."""
