"""Hashed words, pairs of words and the shape of a text, and heads with a weight for each: numpy alone.

The policy model `linear` is these alone; `encoder` adds a sentence encoder's vector to them.
"""
