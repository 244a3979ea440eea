"""Keeps secrets and personal data out of everything that leaves the process.

`mask_text` cleans a string by the shape of what it finds: keys, tokens, cards,
addresses, passwords in URLs and query strings. `mask_value` walks a whole
structure and also hides values by the *name* of their key. Both ask a cheap
question first that may say yes too often, never no too often, because nearly
all texts are harmless; `clean` remembers its answers besides.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

MASK: Final = "***"
KEPT_OF_A_KEY: Final = 8
"""Characters of an API key that stay readable, `sk_live_`: enough to tell which kind, useless to a thief."""

_HIDDEN_NAMES: Final = (
    "password|passwd|passphrase|pwd|secret|token|jwt|authorization|api[_-]?key|apikey|access[_-]?key|private[_-]?key|credential"
    "|cookie|session[_-]?id|sessionid|set[_-]?cookie|csrf|card[_-]?number|cardnumber|credit[_-]?card|cvv|cvc|iban|ssn|dsn|licen[sc]e[_-]?key"
)
_PERSONAL_WORDS: Final = "e[_-]?mail|phone|first[_-]?name|last[_-]?name|full[_-]?name|username|street|postcode|birth"
_SECRET_KEY: Final = re.compile(rf"(?:{_HIDDEN_NAMES})", re.IGNORECASE)
_PERSONAL_KEY: Final = re.compile(rf"(?:{_PERSONAL_WORDS})", re.IGNORECASE)
_HARMLESS_KEY: Final = re.compile(
    r"(?:count|total|length|type|expires?|expiry|ttl|limit|used|name|status|outcome)$|^(?:tokens|max_tokens)$", re.IGNORECASE
)
"""Names such as token_count or token_type are about a secret and hold none."""

_KEYS: Final = re.compile(
    r"\b((?:sk|pk|rk)_(?:live|test)_|sk-(?:proj-|ant-)?|gh[pousr]_|github_pat_|xox[abprs]-|AKIA|ASIA|AIza|glpat-|npm_|hf_|SG\.|whsec_|pypi-)[A-Za-z0-9_\-.]{6,}"
)
_JWT: Final = re.compile(r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{3,}(?:\.[A-Za-z0-9_-]*)?")
_BEARER: Final = re.compile(r"\b(bearer\s+|(?:basic|token)\s+(?=\S*[\d=]))[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE)
_COOKIE: Final = re.compile(r"\b((?:set-)?cookie\s*[=:]\s*)[^\r\n\"']+", re.IGNORECASE)
_ASSIGNED: Final = re.compile(
    rf"""(["']?\b[\w-]{{0,40}}(?:{_HIDDEN_NAMES})[\w-]{{0,40}}["']?\s*[=:]\s*)("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s&,;"'}}\]]+)""",
    re.IGNORECASE,
)
_URL_LOGIN: Final = re.compile(r"(?<=://)[^/\s:@]*:[^\s/@]+(?:@[^\s/@]*)*(?=@)")
_EMAIL: Final = re.compile(r"[A-Za-z0-9._%+\-]{1,64}@[A-Za-z0-9\-]{1,63}(?:\.[A-Za-z0-9\-]{1,63})+")
_CARD: Final = re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?![\w])")
_IPV4: Final = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\w)")
_IPV6: Final = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:.])")
_CARD_AS_ID: Final = re.compile(r"3[47]\d{2}[._-]?\d{6}[._-]?\d{5}|[456]\d{3}(?:[._-]?\d{4}){3}")
"""The usual cards in their usual groups. An id of digits alone may pass the check digit's test by chance, so it needs more than that."""

_PRIVATE_KEY: Final = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)

_TRIGGERS: Final = (
    "@ :// passw passph pwd secret token jwt authoriz key credential cookie session csrf card cvv cvc iban ssn dsn licen bearer"
    " eyj sk_ pk_ rk_ sk- ghp_ gho_ ghu_ ghs_ ghr_ github_pat xox akia asia aiza glpat npm_ hf_ sg. whsec pypi- basic"
).split()
"""Lower-case pieces, one of which stands in every text that a pattern above would change (numbers and IP addresses apart)."""


def _prefix_tree(words: Sequence[str]) -> str:
    """A pattern that finds any of the words and looks at each place of a text once, however many words there are."""
    if "" in words:  # a word ends here: what follows doesn't matter
        return ""
    tails: dict[str, list[str]] = {}
    for word in words:
        tails.setdefault(word[0], []).append(word[1:])
    branches = [re.escape(first) + _prefix_tree(rest) for first, rest in tails.items()]
    return branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})"


_TRIGGER: Final = re.compile(_prefix_tree(_TRIGGERS))
_SHORT: Final = 80
"""Characters up to which one search for the tree is quicker than one `in` for each piece."""

_LONG_NUMBER: Final = re.compile(r"[0-9](?:[ -]*[0-9]){12}")
"""Thirteen digits in a row, spaces and dashes between them passed over: the shortest card number."""

LONGEST_TEXT: Final = 65536
"""Characters; what is longer is cut before it is masked, so that no caller can keep the patterns busy for seconds."""

_REMEMBERED: Final = 8192
_REMEMBERED_CHARS: Final = 256


@lru_cache(maxsize=4096)
def is_sensitive_key(key: str) -> bool:
    """Whether a value under this name is hidden whatever it looks like."""
    return _PERSONAL_KEY.search(key) is not None or (_SECRET_KEY.search(key) is not None and _HARMLESS_KEY.search(key) is None)


class _CleanTexts(dict[str, str]):
    """Texts, and what masking makes of them. A text that it doesn't know is masked when it is asked for."""

    def __missing__(self, text: str) -> str:
        found = mask_text(text)
        if len(text) <= _REMEMBERED_CHARS:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[text] = found
        return found


clean: Final[Callable[[str], str]] = _CleanTexts().__getitem__
"""`mask_text` for texts that come again and again, such as log messages: the answer is remembered, and costs one look into a dict."""


def _is_suspicious(text: str) -> bool:
    lowered = text.lower()
    if len(lowered) <= _SHORT:
        if _TRIGGER.search(lowered) is not None:
            return True
    else:
        for piece in _TRIGGERS:
            if piece in lowered:
                return True
    return (len(text) > 12 and _LONG_NUMBER.search(text) is not None) or text.count(".") > 2 or text.count(":") > 2


def mask_text(text: str) -> str:
    """The text with secrets, e-mail addresses, card numbers and public IP addresses hidden."""
    if len(text) > LONGEST_TEXT:
        text = f"{text[:LONGEST_TEXT]}…[{len(text) - LONGEST_TEXT} characters cut]"
    if not _is_suspicious(text):
        return text
    if "-----BEGIN" in text:
        text = _PRIVATE_KEY.sub(MASK, text)
    text = _URL_LOGIN.sub(MASK, text)
    text = _COOKIE.sub(rf"\1{MASK}", text)
    text = _JWT.sub(MASK, text)
    text = _KEYS.sub(_keep_prefix, text)
    text = _BEARER.sub(rf"\1{MASK}", text)
    text = _ASSIGNED.sub(_hide_assigned, text)
    text = _EMAIL.sub(_hide_email, text)
    text = _CARD.sub(_hide_card, text)
    text = _IPV4.sub(_hide_address, text)
    return _IPV6.sub(_hide_address, text)


def is_secret_shaped(ident: str) -> bool:
    """Whether an id from outside is a key, a token, a card number or somebody's IP address that came under the wrong name."""
    if _KEYS.search(ident) or _JWT.search(ident):
        return True
    if _CARD_AS_ID.fullmatch(ident):
        return passes_luhn(re.sub(r"\D", "", ident))
    return _IPV4.fullmatch(ident) is not None and _hide_address_text(ident) != ident


def mask_value(value: Any, *, depth: int = 8) -> Any:
    """A copy of a JSON-like structure with all its texts masked, and values of sensitive keys hidden."""
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, bytes):
        return mask_text(value.decode("utf-8", "replace"))
    if depth <= 0:
        return mask_text(repr(type(value)))
    if isinstance(value, Mapping):
        return {
            mask_text(str(key)): MASK if is_sensitive_key(str(key)) and _hides(item) else mask_value(item, depth=depth - 1)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [mask_value(item, depth=depth - 1) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**12:
        return _mask_number(value)
    return value


def truncate_address(address: str) -> str:
    """An IP address without the part that tells a household: the last octet, or the last 80 bits. '' when it is none."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    length = 24 if parsed.version == 4 else 48
    return str(ipaddress.ip_network((parsed, length), strict=False).network_address)


def _hides(item: Any) -> bool:
    return item is not None and not isinstance(item, bool)


def _keep_prefix(match: re.Match[str]) -> str:
    return match.group(1)[:KEPT_OF_A_KEY] + MASK


def _hide_assigned(match: re.Match[str]) -> str:
    name, value = match.groups()
    bare = name.strip(" =:\"'\t\n")
    if _HARMLESS_KEY.search(bare) or value.startswith(MASK) or value.lower() in {"none", "null", "true", "false", "bearer", "basic"}:
        return match.group(0)
    quote = value[0] if value[0] in "\"'" else ""
    return f"{name}{quote}{MASK}{quote}"


def _hide_email(match: re.Match[str]) -> str:
    return f"{MASK}@{MASK}"


def _hide_card(match: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", match.group(0))
    return f"{MASK}{digits[-4:]}" if passes_luhn(digits) else match.group(0)


def _mask_number(value: int) -> Any:
    digits = str(abs(value))
    return f"{MASK}{digits[-4:]}" if 13 <= len(digits) <= 19 and passes_luhn(digits) else value


def _hide_address(match: re.Match[str]) -> str:
    return _hide_address_text(match.group(0))


def _hide_address_text(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    return truncate_address(text) if address.is_global else text


def passes_luhn(digits: str) -> bool:
    """The check digit that every payment card carries (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (2 if place % 2 else 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0
