"""The load generator against independent tools."""
