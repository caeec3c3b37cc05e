"""What is done here beside what others do, each a command that prints a table and ratios; with --json one object."""
