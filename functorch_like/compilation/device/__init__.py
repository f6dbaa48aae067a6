"""Programs on the GPU: the nodes and steps of ``lowering`` as CUDA kernels and what starts them."""
