"""A rendered krakend.json of 1.x and 2.x.

reader.py       the file's services, endpoints and backends -> rules
credentials.py  `auth/client-credentials` -> a token source
modifiers.py    `modifier/martian` -> modifiers
place.py        hosts and `url_pattern` of a backend -> what a rule matches
names.py        what else there is, and why it has no meaning here
"""
