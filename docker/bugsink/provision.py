"""Makes what Bugsink needs before anybody signs in: schema, administrator, project with a known key, a token to read with.

Run by Bugsink's own Python with the settings and secrets in its environment. May be run again at any time: what is
there is brought up to date. The project is the first one, so the DSN is http://KEY@HOST:PORT/1.
"""

import sys
import uuid

import django

django.setup()

from bsmain.models import AuthToken  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from nobet_bugsink import secret  # noqa: E402
from projects.models import Project, ProjectMembership, ProjectRole  # noqa: E402
from teams.models import Team, TeamMembership, TeamRole  # noqa: E402

ADMINISTRATOR = "admin@nobet.example"
READER = "nobet story"
READS = ("issues_read", "events_read", "releases_read", "projects_read", "teams_read")


def main() -> None:
    """Bring everything to the declared state."""
    call_command("migrate", verbosity=0)
    call_command("migrate", database="snappea", verbosity=0)
    if sys.argv[1:] == ["schema"]:  # empty databases, to be copied
        return
    user = get_user_model().objects.filter(username=ADMINISTRATOR).first()
    if user is None:
        user = get_user_model().objects.create_superuser(username=ADMINISTRATOR, email=ADMINISTRATOR, password=None)
    user.set_password(secret("ERROR_TRACKER_ADMIN_PASSWORD"))
    user.save()
    team, _ = Team.objects.get_or_create(name="Nöbet")
    TeamMembership.objects.get_or_create(team=team, user=user, defaults={"role": TeamRole.ADMIN, "accepted": True})
    project = Project.objects.filter(pk=1).first() or Project(pk=1, name="Backend", slug="backend", team=team)
    project.sentry_key = uuid.UUID(secret("ERROR_TRACKER_KEY"))
    project.save()
    ProjectMembership.objects.get_or_create(project=project, user=user, defaults={"role": ProjectRole.ADMIN, "accepted": True})
    token = secret("ERROR_TRACKER_TOKEN")
    AuthToken.objects.filter(description=READER).exclude(token=token).delete()
    AuthToken.objects.get_or_create(token=token, defaults={"description": READER, **dict.fromkeys(READS, True)})


if __name__ == "__main__":
    main()
