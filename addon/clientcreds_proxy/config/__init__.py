"""The configuration file: read once, checked as a whole, frozen into the values that the other rooms use.

yaml.py        text -> plain values, and where each of them stands
references.py  `${env:…}` and its like in any text of it; lookup.py: where their values lie
exposed.py     files of secrets that others can read
part.py        one file, with both of them done
model.py       which keys there are; model_source.py: those of a token source
fields.py      which kinds of value they take; checks.py: what such a value must be
preset.py      what a provider needs (presets/), filled in where a source says nothing itself
source.py      a token source's keys among each other -> SourceSpec
bound.py       what tokens that are bound to a key ask of both
rule.py        a rule's keys among each other -> Rule; leading.py: where its modifiers lead
assemble.py    the sources and rules of all files, put together; includes.py: which files
load.py        -> Config, or every problem at once
find.py        which file that is
schema.py      the same keys as JSON Schema, for editors
"""
