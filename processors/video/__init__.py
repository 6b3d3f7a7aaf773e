"""The video service: probe, plan, run ffmpeg, verify.

probe     what a file is, by ffprobe, or why it is no video
quality   tiers, rates and sizes: the numbers and where they come from
plan      pure: spec and probe in, ffmpeg commands out
progress  what ffmpeg says while it works
handler   runs the plan, and verifies what came out before it is reported
"""
