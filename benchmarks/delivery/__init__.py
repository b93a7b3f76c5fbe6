"""Delivery under failure and under load: kills, redeliveries, queue overhead, publishing rates."""
