"""The video service.

work         from a spec to the tasks that carry it out
quality      tiers, rates and sizes: the numbers and where they come from
encoding     pure: spec and probe in, an ffmpeg command out
transcoding  makes MP4 and WebM, and verifies them
frames       frames at times, of spans, or all from a time on
timing       pure: at which times pictures are taken
thumbnails   pictures at given times, at an interval, or so many
poster       one picture that stands for the video
sprite       sheets of small pictures for a seek bar
pictures     from a frame to a JPEG, PNG or WebP
scenes       the scenes, as lists, pictures and files of their own; scene_detection and scene_files are their pure parts
watermark    a text or an image over whatever is encoded; watermark_text, watermark_image and picture_header help it
"""
