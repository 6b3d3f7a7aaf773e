"""The machine's models: the folder in which they lie, and what brings them there.

`store.py` publishes, pins and removes versions; `unpacking.py` opens archives of strangers; `registries.py` asks pip
and npm for packages. What a model is, and what its manifest says, is processors.inference's to know.
"""
