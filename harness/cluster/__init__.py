"""Many workers for one run: who does what next, what one worker does, and Ray, which starts and watches them."""
