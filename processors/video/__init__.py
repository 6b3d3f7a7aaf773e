"""The video service.

work         from a spec to the tasks that carry it out
quality      tiers, rates and sizes: the numbers and where they come from
codecs       pure: a codec and a quality or a rate in, the options of its encoder out
framing      pure: what is done to the picture; labels are tags that do not go into another kind of file
sounds       pure: which sounds are meant, and how they are encoded; levels brings them to a loudness
subtitles    pure: what becomes of subtitles; cues cuts their texts
encoding     pure: spec and probe in, an ffmpeg command out
preparing    what has to be found out before the main run can be planned
target       the constant quality that gives a VMAF, by short trials
lengths      whether a picture and its sounds are as long as they should be, and whose fault it is if not
transcoding  makes MP4 and WebM, and verifies them
soundtrack   the sound as files of its own
animation    GIF and animated WebP
probing      what a file is, as JSON
streaming    HLS and DASH; ladder, per_title and trials find the rungs, and renditions encode them
frames       frames at times, of spans, or all from a time on
timing       pure: at which times pictures are taken
thumbnails   pictures at given times, at an interval, or so many
poster       one picture that stands for the video
sprite       sheets of small pictures for a seek bar
pictures     from a frame to a JPEG, PNG or WebP
scenes       the scenes as lists, pictures and, by scene_cutting, files; scene_detection and scene_files are pure
watermark    a text or an image over whatever is encoded; watermark_text and watermark_image help it
"""
