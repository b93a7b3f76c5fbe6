"""One self-contained HTML file: tables, plots and the method, for those who were not there."""
