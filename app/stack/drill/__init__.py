"""The drill: real faults on a running stack, and the proof that somebody hears of each of them and of its end.

`catalogue` declares the faults and the rules that each proves; `hands` does and
undoes them, `journal` keeps what is to be undone on disk, so that even a killed
drill leaves nothing broken; `chain` sees how far an alert has come; `run` brings
it all together.
"""
