#!/usr/bin/env bash
# Weekly: the daily update, and models trained from scratch.
# Usage: scripts/ml_weekly_retrain.sh [AS_OF]; default: today.
source "$(dirname "${BASH_SOURCE[0]}")/scheduled.sh"
as_of=${1:-$(date +%F)}
scheduled weekly "$as_of" cycle "$as_of" full
