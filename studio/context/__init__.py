"""What the tree holds: parsing, definitions and references, a ranked map, retrieval for a brief."""
