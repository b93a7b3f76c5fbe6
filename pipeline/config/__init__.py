"""Settings, the settings of both brokers, and the file through which commands find a running stack."""
