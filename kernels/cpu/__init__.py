"""CPU kernels for what NumPy lacks or does slowly; ``gpu`` mirrors this folder.

NumPy works the small sizes, where a compiler would never repay its start. Numba is imported
and a kernel compiled (and kept on disk) when the first array large enough arrives.
"""
