"""Raw archives -> Glyph or GlyphBlock: one module a data set, each with generators that take a path."""
