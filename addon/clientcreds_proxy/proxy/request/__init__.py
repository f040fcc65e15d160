"""One request, step by step: who sends it, its token, its modifiers, the answer to it."""
