"""`clientcreds doctor`: what is wrong between an app and its API, link by link, and what mends it.

One file for each family of checks. What depends on a link that is broken is left out, so that the first
line that is not ok names the cause.
"""
