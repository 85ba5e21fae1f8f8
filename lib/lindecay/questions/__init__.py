"""The open questions with which the text ends: what this book adds to the paper.

asked      their studies, for `lindecay sweep`
limits     where linear decay fails: tasks_made, remedies with a bill
"""
