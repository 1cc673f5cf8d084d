#!/usr/bin/env bash
# Monthly: compare the models in production with the baselines, without training, and print the report,
# which cron mails. If the date is already recorded, print the report only.
# Usage: scripts/ml_monthly_ab_test.sh [AS_OF]; default: today.
source "$(dirname "${BASH_SOURCE[0]}")/scheduled.sh"
as_of=${1:-$(date +%F)}
compare() {
    cycle "$as_of" compare && run evergreen report
}
scheduled monthly "$as_of" compare
cat reports/report.md
