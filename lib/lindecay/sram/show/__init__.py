"""The array to look at.

stepper   one step, cycle by cycle, as a page
growth    how cycles grow with neurons, bits and spikes
"""
