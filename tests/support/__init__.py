"""What the support table is made of: a call for every public name, and what becomes of it."""
