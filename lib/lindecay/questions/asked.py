"""The studies of the open questions, so that `lindecay sweep` knows them.

A study is a generator of tasks that make their own rows (`designs.Asked`); its first
line says what it asks. Rows are kept in `data/reference/protocol` like all others. A
room makes its studies known when it is imported; here all of them are.
"""

from lindecay.questions import (
    choosing,
    damage,
    gaps,
    latency,
    scale,
)

ROOMS: tuple = (  # modules with STUDIES: name -> generator of tasks
    choosing,
    damage,
    gaps,
    latency,
    scale,
)
