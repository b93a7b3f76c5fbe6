"""What tests share: servers, stand-ins for the cloud, builders."""
