"""One class an attack, by theme."""
