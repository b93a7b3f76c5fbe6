"""The command line: every command of the project, what it prints, and the options it takes."""
