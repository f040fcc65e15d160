"""The configuration file: read once, checked as a whole, frozen into the values that the other rooms use.

yaml.py        text -> plain values, and where each of them stands
references.py  `${env:…}`, `${file:…}`, `${cmd:…}` in any text of it
model.py       which keys there are (model_source.py: those of a token source), one value at a time
source.py      a token source's keys among each other -> SourceSpec
rule.py        a rule's keys among each other -> Rule
load.py        all files together -> Config, or every problem at once
find.py        which file that is
schema.py      the same keys as JSON Schema, for editors
"""
