"""Good files spoiled at random, and the real commands run on them: `python -m fuzz`."""
