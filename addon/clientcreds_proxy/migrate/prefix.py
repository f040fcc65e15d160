"""A gateway's path prefix, as the paths of a rule."""


def below(prefix: str) -> tuple[str, ...]:
    """The paths that begin with `prefix`, by whole segments.

    A slash at its end asks for one: `/a/` is not `/a`, which `/a/**` would be.
    """
    bare = prefix.rstrip("/")
    return (f"{bare}/", f"{bare}/*/**") if bare and bare != prefix else (f"{bare}/**",)
