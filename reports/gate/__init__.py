"""A gate's findings as a line, a table for a pull request, JUnit and SARIF."""
