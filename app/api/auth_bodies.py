"""Bodies of the authentication endpoints. Passwords and tokens are SecretStr on their way in: no repr shows them."""

from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, Field, SecretStr, StringConstraints

from app.db.models import EMAIL_CHARS, NAME_CHARS
from app.domain.tokens import LONGEST_TOKEN

SHORTEST_PASSWORD: Final = 8
"""NIST SP 800-63B: at least 8 characters, any characters, no rules about kinds of them."""

LONGEST_PASSWORD: Final = 128


def _without_nul(value: str) -> str:
    """PostgreSQL can't store NUL in text."""
    if "\x00" in value:
        raise ValueError("must not contain NUL characters")
    return value


def _encodable(value: SecretStr) -> SecretStr:
    """JSON can hold halves of characters (lone surrogates), which no hash and no database takes."""
    try:
        value.get_secret_value().encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode") from None
    return value


UserName = Annotated[
    str,
    StringConstraints(pattern=rf"^[A-Za-z0-9._-]{{1,{NAME_CHARS}}}$", to_lower=True),
    Field(description="Letters, digits, dots, dashes, underscores; upper and lower case are the same.", examples=["ayse"]),
]
Secret = Annotated[SecretStr, AfterValidator(_encodable)]
Password = Annotated[
    Secret,
    Field(min_length=SHORTEST_PASSWORD, max_length=LONGEST_PASSWORD, examples=["correct horse battery staple"]),
]
DisplayName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=NAME_CHARS),
    AfterValidator(_without_nul),
    Field(description="What others see.", examples=["Ayşe"]),
]
Email = Annotated[
    str,
    StringConstraints(pattern=r"^[^@\s\x00]{1,64}@[^@\s\x00]{1,189}$", max_length=EMAIL_CHARS),
    Field(description="Never logged.", examples=["ayse@example.org"]),
]


class Registration(BaseModel):
    """A new account."""

    username: UserName
    password: Password
    display_name: DisplayName | None = Field(None, description="Left out: the user name.")
    email: Email | None = None


class Credentials(BaseModel):
    """What somebody signs in with. Any text that can be stored is taken: what can't be right is wrong like any other guess."""

    username: Annotated[str, AfterValidator(_without_nul)] = Field(max_length=EMAIL_CHARS, examples=["ayse"])
    password: Secret = Field(max_length=LONGEST_PASSWORD, examples=["correct horse battery staple"])


class RefreshRequest(BaseModel):
    """A refresh token to be exchanged."""

    refresh_token: Secret = Field(max_length=LONGEST_TOKEN, examples=["eyJhbGciOiJIUzI1NiIs…"])


class PasswordRenewal(BaseModel):
    """The present password and the next one."""

    old_password: Secret = Field(max_length=LONGEST_PASSWORD, examples=["correct horse battery staple"])
    new_password: Password


class AccountClosing(BaseModel):
    """Proof that it is the owner who wants it."""

    password: Secret = Field(max_length=LONGEST_PASSWORD, examples=["correct horse battery staple"])


class TokensRead(BaseModel):
    """The tokens of a session, in the form of RFC 6749, section 5.1."""

    user_id: str = Field(examples=["42"])
    access_token: str = Field(description="For the Authorization header of every request.", examples=["eyJhbGciOiJIUzI1NiIs…"])
    refresh_token: str = Field(description="Exchange it for new tokens, once.", examples=["eyJhbGciOiJIUzI1NiIs…"])
    token_type: str = Field("Bearer", examples=["Bearer"])
    expires_in: int = Field(description="Seconds for which the access token is good.", examples=[900])
