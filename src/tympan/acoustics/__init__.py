"""How drums and strings vibrate: shapes, frequencies and shapes of modes, strikes, and the way back; no torch."""
