"""Process-wide patches of aiokafka, applied once by the composition root."""
