"""Small programs that run under a stage's own Python (``-I``) because they need its libraries.

Each is a script of its own that imports nothing of this package: one JSON request in (a file named on the command
line), one JSON answer out (stdout).
"""
