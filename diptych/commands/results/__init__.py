"""`diptych results …`."""
