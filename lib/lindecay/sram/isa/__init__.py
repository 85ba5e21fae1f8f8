"""What a cycle can say, and the programs made of it.

language   a cycle and a program; the rules of the ports
programs   decay (every law), accumulate, merge, clamp, fire, reset: bit-serial
cycles     how many cycles each takes, in closed form
encoding   programs as tables of rows and masks, for the machine at speed
"""
