"""A caller's credentials, in whatever else a request holds."""

import base64
from collections.abc import Callable
from urllib.parse import quote, quote_plus

from hypothesis import given
from hypothesis import strategies as st

from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.credentials import (
    Credentials,
    Holder,
    find,
    in_basic,
    in_form,
    shown,
    target_without,
    without,
)

TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\x7f"), min_size=1)
IDS = TEXT.filter(lambda text: ":" not in text)
# what stands in forms besides the credentials: pairs of any bytes but those that part them, and no `client_…`
OTHER = st.text(st.characters(exclude_characters="&")).filter(lambda pair: "%" not in pair)
OTHERS = st.lists(OTHER.filter(lambda pair: not pair.startswith("client_")), max_size=5)
GARBAGE = st.text() | st.binary().map(lambda data: data.decode("utf-8", "surrogateescape"))


@given(IDS, TEXT)
def test_basic_is_read_as_a_client_wrote_it(client_id: str, secret: str) -> None:
    pair = base64.b64encode(f"{client_id}:{secret}".encode()).decode()

    found = in_basic([("Authorization", f"Basic {pair}")], "authorization")

    assert found == Credentials(client_id=client_id, secret=Secret(secret))


@given(TEXT, TEXT, st.tuples(OTHERS, OTHERS, OTHERS), st.sampled_from([quote, quote_plus]))
def test_form_is_the_same_without_its_credentials(
    client_id: str, secret: str, others: tuple[list[str], ...], write: Callable[[str], str]
) -> None:
    before, between, after = others
    first, second = f"client_id={write(client_id)}", f"client_secret={write(secret)}"
    form = "&".join([*before, first, *between, second, *after])

    assert in_form(form) == Credentials(client_id=client_id, secret=Secret(secret))
    assert without(form) == "&".join([*before, *between, *after])


@given(GARBAGE, GARBAGE, GARBAGE, GARBAGE)
def test_nothing_that_a_client_sends_is_a_bug(value: str, target: str, form: str, client_id: str) -> None:
    holder = Holder(headers=[("Authorization", value)], target=target, form=form)

    found = find(("header", "body", "query"), holder)

    assert found is None or (found.credentials.client_id and found.credentials.secret)
    assert target_without(target).partition("?")[0] == target.partition("?")[0]
    assert in_form(without(form)) is None
    assert without(without(form)) == without(form)
    assert shown(client_id).isprintable()
