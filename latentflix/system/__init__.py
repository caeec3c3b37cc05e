"""What is asked of the operating system: files that appear whole, locks, processes, the console."""
