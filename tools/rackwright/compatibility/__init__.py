"""What goes together: GPU architectures, driver branches, CUDA, kernels, engines, quantisations."""
