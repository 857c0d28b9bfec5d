"""Values as people and programs read them: tables, lines, JSON. Nothing is computed here."""
