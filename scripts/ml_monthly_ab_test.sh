#!/usr/bin/env bash
# Every month: what is in production against the baselines, without learning; and a report to read,
# which cron mails. Where the date has been run already, the report alone.
# Usage: scripts/ml_monthly_ab_test.sh [AS_OF], by default today.
source "$(dirname "${BASH_SOURCE[0]}")/scheduled.sh"
as_of=${1:-$(date +%F)}
compare() {
    cycle "$as_of" compare && evergreen report
}
scheduled monthly "$as_of" compare
cat reports/report.md
