"""From history and signals to plans: `problem` writes the document, `engine` solves it, `solution` reads the answer."""
