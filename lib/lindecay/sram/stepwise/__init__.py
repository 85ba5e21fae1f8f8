"""Layouts B and C, a step at a time.

words       rows of words; layout B: a neuron is adjacent columns
adder_tree  layout C: sums below the weights, membranes near memory or in place
"""
