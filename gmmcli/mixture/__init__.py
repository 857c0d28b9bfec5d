"""What a mixture is, and all that judging rows by it needs: NumPy only, no files, no printing."""
