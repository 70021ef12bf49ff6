"""How drums vibrate: frequencies and shapes of modes, strikes, and the way back; numpy and scipy only."""
