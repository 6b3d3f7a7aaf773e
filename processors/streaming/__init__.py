"""Streams over HTTP: tracks that were encoded become segments, playlists and manifests. It knows nothing of any spec.

tracks     what goes in: encoded files, and what each is called
packager   Shaka Packager: where it is, and how it is told what to do
playlists  pure: reads what it wrote, and raises what it says too low
entry      pure: whether a player can begin with a picture, by its own bits
measure    what the segments are
verify     whether the stream is what players need, before it becomes a result
making     all of this in order
"""
