#!/usr/bin/env bash
# Every week: as every day, and models fitted from scratch beside the updated ones.
# Usage: scripts/ml_weekly_retrain.sh [AS_OF], by default today.
source "$(dirname "${BASH_SOURCE[0]}")/scheduled.sh"
as_of=${1:-$(date +%F)}
scheduled weekly "$as_of" cycle "$as_of" full
