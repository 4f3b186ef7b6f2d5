"""What the processes of one account share, by way of a database: limits, pace, budget, lists, and who lives.

`shared.open_shared` is the way there from Trio; every other file holds the statements about one thing.
"""
