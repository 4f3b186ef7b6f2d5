"""Agents that ship: three inbound modes and the outbound scenarios, chosen by the number that was dialled.

ivr, receptionist, csr, outbound    one file each, meant to be copied and edited
base        the company they speak for, its rules, and what code checks for them
hours       when somebody is there
desk        tools that several have; ``identity``, how callers prove their identity
menu        keys, and the menu for when there is no model
routes      which of them answers
"""

from llcphone.modes.base import House as House
from llcphone.modes.base import agreed as agreed
from llcphone.modes.base import make_agent as make_agent
from llcphone.modes.base import offer as offer
from llcphone.modes.routes import Routed as Routed
from llcphone.modes.routes import routed as routed
from llcphone.modes.routes import source_of as source_of
