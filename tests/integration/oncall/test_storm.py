"""Five thousand alerts at once, through the web process, into PostgreSQL: all kept, told in few messages, 503 where it is too much."""

import threading
from collections import Counter

import httpx
import pytest

from tests.config.smtp_inbox import SmtpInbox
from tests.integration.oncall.conftest import MakeReplicas
from tests.support.oncall import BEARER, alert, escalation
from tests.support.servers import Postgres
from tests.support.waiting import wait_until

GROUPS = 250
TOGETHER = 20
SENDERS = 40
MOST_MAILS = 40


@pytest.mark.req("ALD-08")
def test_five_thousand_alerts_at_once_are_all_kept_and_told_in_few_mails(replicas: MakeReplicas, postgres: Postgres) -> None:
    """Each webhook is stored or refused with 503 and Retry-After, and sent again as Alertmanager does; every incident is in some mail."""
    answered: list[int] = []
    groups = [[alert(f"Storm{group:03d}", instance=str(number)) for number in range(TOGETHER)] for group in range(GROUPS)]
    with SmtpInbox() as inbox:
        team = replicas(escalation(["email:ayse@example.com"]), SMTP_SERVER="127.0.0.1", SMTP_PORT=str(inbox.port))
        replica = team.new().wait()
        start = threading.Barrier(SENDERS)

        def send(number: int) -> None:
            start.wait()
            with httpx.Client(base_url=replica.url, headers=BEARER, timeout=120) as client:
                for group in groups[number::SENDERS]:

                    def taken(told: list[dict[str, object]] = group) -> bool:
                        answer = client.post("/api/alerts", json={"version": "4", "alerts": told})
                        answered.append(answer.status_code)
                        assert answer.status_code == 202 or answer.headers["Retry-After"]
                        return answer.status_code == 202

                    wait_until("the webhook is taken", taken, 120)

        threads = [threading.Thread(target=send, args=(number,)) for number in range(SENDERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        codes = Counter(answered)
        assert set(codes) == {202, 503}
        assert codes[202] == GROUPS
        assert postgres.ask("SELECT count(*) FROM oncall_alerts WHERE status = 'firing'") == str(GROUPS * TOGETHER)
        assert postgres.ask("SELECT count(*) FROM oncall_incidents") == str(GROUPS)

        def all_told() -> bool:
            return postgres.ask("SELECT count(*) FROM oncall_notifications WHERE state = 'sent'") == str(GROUPS)

        wait_until("every incident has been told", all_told, 120)
        print(f"answers {dict(codes)}, {len(inbox.messages)} mails")
        assert len(inbox.messages) <= MOST_MAILS
