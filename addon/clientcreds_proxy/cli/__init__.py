"""The `clientcreds` command: `main.py` ties together one file, or folder, for each family of commands.

init/       a first configuration
check.py    a configuration, looked at; schema.py, names.py, completion.py: what helps to write one
explain.py  what the proxy would do with a request; explained.py: as lines and as an object
token_.py   a token of a source
serve.py    the proxy to stay; run.py: one for a command alone, command.py: that command
env.py      how other commands find the proxy; ca.py: how they trust it; clients/: what each of them needs
status.py   a running proxy, asked; running.py: which one; status_text.py: as lines
doctor/     every link from the configuration to the API
import_.py  other gateways' configurations
options.py  options and words.py words that several share
"""
