"""Dead letters by hand: list, show, replay, drop. `nobet dead-letters` runs it.

A letter is deleted only after Elasticsearch has its record: the record is sent under
the id that it would have had in the first place, so that a replay that is cut off, or
made twice, stores it once. What is refused again stays a letter.
"""
