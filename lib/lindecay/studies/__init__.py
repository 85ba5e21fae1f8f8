"""Studies of accuracy: what is asked, how it runs, what its rows say.

designs    what each study asks, as data: lists of tasks
ceilings   networks that do not spike, on the same bins and speakers
protocol   tasks on Dask, resumable; rows kept by key
paired     drops and intervals by seeds, clips and speakers
tables     a study's rows as the tables of the book
"""
