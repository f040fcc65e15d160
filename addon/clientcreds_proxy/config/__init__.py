"""The configuration file: read once, checked as a whole, frozen into the values that the other rooms use.

find.py     which file that is
reading/    text -> plain values, and where each of them stands; `${env:…}` and its like resolved
keys/       which keys there are, which kinds of value they take; the same as JSON Schema, for editors
preset.py   what a provider needs (presets/), filled in where a source says nothing itself
building/   keys among each other -> SourceSpec, StoreSpec, Rule; put together from all files
literal.py  secrets that stand in the file; exposed.py: files of secrets that others can read
load.py     -> Config, or every problem at once
names.py    the names alone, for shells that complete them
"""
