"""`nobet demo`: lifelike traffic, with the failures that a real day has.

`scenarios` says which days there are, `visits` and its neighbours what people do, `troubles` what goes wrong,
`play` performs it and puts everything back at the end, also after Ctrl-C.
"""

from app.stack.demo.play import run

__all__ = ["run"]
