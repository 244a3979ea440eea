"""The measured loggers, a module each, so that none pays for another's imports.

`make(folder)` sets the logger up to write into a file of that folder and gives back a
function that makes one call, or a dict of them where one set-up serves several.
"""
