"""Layout A: bit-serial, a neuron is a column. Three tiers that must agree.

array       single bits: what a cycle does, and what the ports allow
machine     a layer as bits: cells, programs, schedule
bitwise     whole clips in single bits, for samples
planes      512 columns in one value, for numba
sliced      the same cycles on planes, for whole test sets
tiles       convolutions: one machine for all places
macro       whole clips, phase by phase; `emulate` of this layout
structural  counters alone, from programs and events
"""
