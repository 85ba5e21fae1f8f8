"""The open questions with which the text ends: what this book adds to the paper.

asked      their studies, for `lindecay sweep`
"""
