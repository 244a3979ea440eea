"""Who tries to get in."""

from typing import Final

from prometheus.generator.model import Alert, Group

SECURITY: Final = Group(
    "security",
    (
        Alert(
            "AuthTokenErrors",
            "warning",
            'sum by (service, env) (increase(auth_token_errors_total{reason!="missing"}[<5m>])) > <ALERT_TOKEN_ERRORS>',
            hold="0s",
            summary="Many requests have a token that is expired or wrong.",
            description="{{ $labels.service }} refused {{ $value | printf `%.0f` }} tokens in a short time; the limit is "
            "<ALERT_TOKEN_ERRORS>.",
            means="Either clients don't renew their tokens any more, or somebody tries tokens out. Requests without a token don't count.",
            steps=(
                "Which kind? The panel shows them by `reason`.",
                "`expired`, many users: does POST /api/auth/refresh work? Was a client version released? Is a clock wrong?",
                "`invalid`, many users: was JWT_SECRET changed, or does one worker have another one?",
                "`invalid` or `reused`, few users: `event:token.invalid` in the logs; one origin is an attack, so block it at the gateway.",
                "Normal traffic has grown so far? Raise ALERT_TOKEN_ERRORS.",
            ),
            look="sum by (reason) (increase(auth_token_errors_total[<5m>]))",
        ),
        Alert(
            "FailedLogins",
            "warning",
            'sum by (service, env) (increase(logins_total{outcome!="success"}[<5m>])) > <ALERT_FAILED_LOGINS>',
            hold="0s",
            summary="Many logins fail.",
            description="{{ $value | printf `%.0f` }} logins at {{ $labels.service }} failed in a short time; the limit is "
            "<ALERT_FAILED_LOGINS>.",
            means="Somebody guesses passwords, or a client has a wrong one and doesn't stop. Metrics know no users; the logs do.",
            steps=(
                "`event:user_login` in the logs with `outcome:failure`: one `user_id` or many, one `client_ip` or many?",
                "One user, one origin: mostly a forgotten password. Its logins are slowed down by themselves (`outcome:limited`).",
                "Many users, one origin: block it at the gateway. Many origins: stolen lists are tried; tighten the login limits.",
                "Did a login of one of these users succeed in between? End their sessions, have the password renewed.",
            ),
            look="sum by (outcome) (increase(logins_total[<5m>]))",
        ),
    ),
    board="nobet-error-rate",
)
