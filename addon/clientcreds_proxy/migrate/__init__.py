"""The way here from other gateways: one of their files becomes one of ours.

read.py      the file as documents with positions; at.py: one value of it, which notices what nobody read
notes.py     what is to be said: what was left behind, what is different
vault.py     secrets become references to environment variables
draft.py     the new file while it is made: token sources and rules, each with its origin
krakend/     a rendered krakend.json
traefik/     Middleware and IngressRoute resources
kong/        deck's file
envoy/       a bootstrap
arrange.py   the order of the rules, and those that want the same requests
write.py     the new file's text
prove.py     what `clientcreds check` would refuse is switched off
importer.py  all of it, one after the other
"""
