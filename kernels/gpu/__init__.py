"""GPU kernels, mirroring ``cpu`` file by file; CuPy is imported when one is called."""
