"""The command line: a node's keeper serves, checks and imports; everybody else talks to a node over HTTP.

Client commands import the client alone; what a node needs is imported by the commands that need it.
"""
