#!/usr/bin/env bash
# Every day: take in what has become known, update the models with it, keep what is proven better.
# Usage: scripts/ml_daily_update.sh [AS_OF], by default today.
source "$(dirname "${BASH_SOURCE[0]}")/scheduled.sh"
as_of=${1:-$(date +%F)}
scheduled daily "$as_of" cycle "$as_of" incremental
