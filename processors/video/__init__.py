"""The video service.

work         from a spec to the tasks that carry it out
quality      tiers, rates and sizes: the numbers and where they come from
encoding     pure: spec and probe in, an ffmpeg command out
transcoding  makes MP4 and WebM, and verifies them
thumbnails   pictures at given times
pictures     single pictures, made in this process
"""
