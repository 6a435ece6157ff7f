"""Running commands where they can do no harm: bubblewrap and Docker behind one port."""
