"""What can be differentiated: one declaration an operation, all its rules in it."""
