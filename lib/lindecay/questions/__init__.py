"""The open questions with which the text ends: what this book adds to the paper.

asked      their studies, for `lindecay sweep`
limits     where linear decay fails: tasks_made, remedies with a bill
larger, recurrent, deeper; latency (chapter 11):
    scale      accuracy against size;  recurrent, deeper, commands: its networks, clips
    latency    what a step lasts, and closed forms
    simulator  many macros, event by event;  loop: the compiled part
    fabric     a network as the simulator sees it;  grown: one of any size
    agree      simulator against emulator, cycle by cycle
"""
