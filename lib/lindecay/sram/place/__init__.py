"""Where a layer lies: rows, row tiles, column tiles, widths.

spec     one macro: size, cell, layout
plans    what a layer takes, and a network's layers in all
linear   a fully connected layer on rows and columns; merging of partial sums
conv     a convolution: a tile of neighbouring places, repeated over the map
"""
