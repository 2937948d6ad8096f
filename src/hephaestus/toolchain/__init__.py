"""The tools: hash-locked requirements, environments made from them, and the children run in those."""
