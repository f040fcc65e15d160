"""What a rule changes in requests and responses, with the names that KrakenD gives Martian's modifiers.

message.py    requests and responses as values, and what one can do with URLs, headers and bodies
modifier.py   the interface of every modifier, group and filter; what those share that have no others inside
problem.py    what is wrong with a tree, and where
parse.py      a tree of plain values -> one modifier, all problems at once
registry.py   which names there are; fields.py reads what stands under them, checks.py knows what HTTP allows
headers.py, cookies.py, query.py, url.py, port.py, body.py, status.py, stash.py, static.py,
filters.py, groups.py, verifiers.py   one family each
inspect.py    what a tree would do, for the checks at load
"""
