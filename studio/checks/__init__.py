"""The validation mesh: what is run on a tree to learn whether it holds, and how sure that makes us."""
