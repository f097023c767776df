"""From an encoder's stages to the features that a head reads."""
