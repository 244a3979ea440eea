"""Backups of the whole stack: whether the last one worked, and whether there is one young enough."""

from typing import Final

from prometheus.generator.model import Alert, Group

BACKUPS: Final = Group(
    "backups",
    (
        Alert(
            "BackupFailed",
            "warning",
            "max by (service, env) (max_over_time(backup_failed[<1m>])) == 1",
            hold="0s",
            summary="The last backup of the stack failed.",
            description="Earlier backups are untouched; what came since the last good one is in no backup.",
            means="`nobet backup` ended without a backup: a store did not answer, a disk is full, or what it wrote could not be read back.",
            steps=(
                "`event:backup.failed` in the logs: `error_message` says what to do.",
                "`nobet backup` makes one now; the alert ends when it is complete.",
                "`nobet backup list` shows what there is until then.",
            ),
            look="backup_failed",
        ),
        Alert(
            "BackupTooOld",
            "warning",
            """
time() - max by (service, env) (backup_last_success_timestamp_seconds)
  > 1.5 * max by (service, env) (backup_interval_seconds > 0)
""",
            hold="30m",
            summary="There is no recent backup of the stack.",
            description="The last backup is {{ $value | humanizeDuration }} old, far over BACKUP_EVERY_HOURS, or there is none.",
            means="Backups are expected (`BACKUP_EVERY_HOURS`) and the timer that makes them does not run, or each one fails.",
            steps=(
                "Does the timer run? `systemctl list-timers`, `crontab -l`, and the mails of cron.",
                "`nobet backup` makes one now and says what is wrong.",
                "Nobody wants backups here: set `BACKUP_EVERY_HOURS=0` and run `make up`.",
            ),
            look="(time() - backup_last_success_timestamp_seconds) / 3600",
        ),
    ),
    board="nobet-general-system-health",
)
