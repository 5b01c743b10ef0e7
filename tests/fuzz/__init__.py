"""Bad input, by the hundred thousand: whatever comes in has one defined end, and the worker lives on."""
