"""`diptych bench cold`: from the start of a process to its first stored image."""
