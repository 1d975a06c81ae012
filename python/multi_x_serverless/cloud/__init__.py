"""Clouds: the ports (`ports`) and their implementations (`local`, `aws`)."""
