"""What `studio doctor` looks at, a module a subject. Each part returns findings and says no more than it tried."""
