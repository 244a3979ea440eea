"""`nobet story`: all that is known about one id, gathered from every store, judged, and shown.

`command` runs it, `gather` asks the stores, `verdict` says what it comes to, `view` draws it,
`document` is its JSON, `find` turns "it broke at 14:47" into ids.
"""
