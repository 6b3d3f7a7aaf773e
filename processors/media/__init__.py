"""The media service: sound for delivery, at the loudness that was asked for, with its chapters, tags and cover.

The line that an attempt follows:

    handler.handle -> work.result -> probe.probe -> piece.sound_of -> wanted.settle (presets + spec + stream -> encodes)
      -> denoise.clean -> analysis.analyse (one decode: loudness, silence, peaks) -> loudness.first_setting
      -> encoding.encode (one decode, all formats) -> deliverable.meter -> loudness.corrected -> encoding.encode ...
      -> deliverable.checked -> tasks.carry_out -> Result

piece         a sound on its way through all of it
levels        the settings of loudness, and their corrections
promised      what files say of themselves, where FFmpeg believes them too much
cover, tags, chapters, chaptering  what goes into a file beside its sound
waveform, spectrogram  pictures of it
streams       HLS and DASH
filters       pure: what is done to a sound
"""
