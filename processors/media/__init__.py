"""The media service: sound for delivery, at the loudness that was asked for, with its chapters, tags and cover.

The line that an attempt follows:

    handler.handle -> work.Work -> ffmpeg.probe -> album.tracks -> wanted.settle (presets + spec + stream -> encodes)
      -> denoise.cleaned -> analysis.analysed (one decode: loudness, silence, peaks) -> loudness.first_setting
      -> encoding.encode (one decode, all formats) -> deliverable.measured -> loudness.corrected -> encoding.encode ...
      -> report.details -> Result
"""
