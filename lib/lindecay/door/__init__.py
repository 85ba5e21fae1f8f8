"""The command `lindecay array`: somebody's network and events, the array's answer.

files    networks and events from strangers' files: data, checked before they are read
visit    the run, batch by batch: equality, accuracy, cycles, joules
page     its report as one HTML file
"""

from lindecay.door.files import bits, events, network
from lindecay.door.page import page
from lindecay.door.told import Progress, table
from lindecay.door.visit import FACE, visit

__all__ = ["FACE", "Progress", "bits", "events", "network", "page", "table", "visit"]
