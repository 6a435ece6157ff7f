"""What people share on a repository: one server for clients and workers, decisions, landing, supervision."""
