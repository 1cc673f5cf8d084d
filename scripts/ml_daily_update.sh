#!/usr/bin/env bash
# Daily: ingest new rows, update the models incrementally, promote what is proven better.
# Usage: scripts/ml_daily_update.sh [AS_OF]; default: today.
source "$(dirname "${BASH_SOURCE[0]}")/scheduled.sh"
as_of=${1:-$(date +%F)}
scheduled daily "$as_of" cycle "$as_of" incremental
