"""What a chapter shows: its tables and the numbers that it publishes.

A file for each chapter (`pages/networks.py` is that of chapter 07). A function takes
what the chapter computed and returns a table (a DataFrame, one row a line on the page)
or numbers ({id: value with its stamp}, for `results.publish_many`). Nothing here
trains, emulates or draws: a chapter computes in the open, these put it into columns.
"""
