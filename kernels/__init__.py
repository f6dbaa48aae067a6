"""Numbers only: arrays and loops; nothing of derivatives or tracers."""
