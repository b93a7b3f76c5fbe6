"""One machine as the cloud: the embedded broker and the supervisor behind `diptych up`."""
