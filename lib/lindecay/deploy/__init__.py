"""The command `lindecay array`: somebody's network and events, the array's answer.

files    networks and events from strangers' files: data, checked before they are read
visit    the run, batch by batch: equality, accuracy, cycles, joules
page     its report as one HTML file
"""

from lindecay.deploy.files import bits, events, network
from lindecay.deploy.page import page
from lindecay.deploy.terminal import Progress, table
from lindecay.deploy.visit import FACE, visit

__all__ = ["FACE", "Progress", "bits", "events", "network", "page", "table", "visit"]
