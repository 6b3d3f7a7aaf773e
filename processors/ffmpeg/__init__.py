"""What the services that work with FFmpeg share. It knows nothing of any spec.

safety          how inputs of strangers are opened: no network, no format that names other files, no endless picture
mp3_header      pure: what an MP3 says of its own length
cut_off         whether the end of a file is missing, by its own sizes
opening         a file, open in this process, and its frames
unreadable      pure: what a file seems to be that cannot be opened
streams         pure: what is in a file, as it says itself: its streams and tags; chapters has those of the file
probe           a look into a file, and what is found there as such streams
report          a probe as JSON
picture_header  what a PNG, JPEG, WebP, GIF or BMP says of itself, before anything is made of it
program         one run of ffmpeg, with its progress and its failures in words for the user
cut             pure: the part of a file that is wanted
languages       pure: codes of languages, and which of them mean the same
mp4_tracks      which subtitles of an MP4 show by themselves
tasks           a job as a list of tasks, each with its share of the progress
verify          whether what came out is what should have, before it becomes a result
filters         pure: what is done to a picture; colours are those of HDR, as encoders are told of them
sound_codecs    pure: what each codec of sound can hold, and how ffmpeg is told to write it
mixing          pure: how a sound gets fewer channels
loudness        pure: how loud a sound is, and by how much it is to be raised or lowered
levelling       what measures a sound and levels it, as filters, and what a meter has written
vmaf            how like its source a picture is
"""
