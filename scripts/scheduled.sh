# Sourced by the scheduled scripts: environment, log, one job at a time, and a failure that is seen.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# cron knows neither the environment of this repository nor its language.
export PATH="$PWD/.venv/bin:$PATH" PYTHONUNBUFFERED=1
export LC_ALL="${LC_ALL:-C.UTF-8}"
KEPT_LOGS=90

# scheduled NAME AS_OF COMMAND...: run it with its output in logs/NAME-AS_OF.log, and shown at a
# terminal. A run that waits for a person's word is told, so that cron mails it. If it fails, its last
# lines go to stderr, which cron mails; $EVERGREEN_ON_FAILURE, if set, is called with the name, the
# date and the log; and the exit code is passed on.
scheduled() {
    local name=$1 as_of=$2 code=0 begun
    local log="logs/$name-$as_of.log"
    shift 2
    mkdir -p logs
    find logs -name '*.log' -printf '%T@ %p\n' | sort -rn | tail -n +"$KEPT_LOGS" | cut -d' ' -f2- |
        xargs -r -d '\n' rm -f
    # A job waits for the one before it; evergreen itself would refuse.
    exec 9>logs/.lock
    flock 9
    printf '%s\n' "--- $name of $as_of" >>"$log"
    begun=$(wc -l <"$log")
    if [ -t 1 ]; then
        "$@" 2>&1 9>&- | tee -a "$log" || code=$?
    else
        "$@" >>"$log" 2>&1 9>&- || code=$?
        tail -n +"$begun" "$log" | grep -e 'waiting for review on' -e 'on the branch unpushed-' || true
    fi
    [ "$code" = 0 ] && return
    {
        echo "evergreen: $name of $as_of failed with exit code $code; the last lines of $PWD/$log:"
        tail -n +"$begun" "$log" | tail -n 20
    } >&2
    if [ -n "${EVERGREEN_ON_FAILURE:-}" ]; then
        bash -c "$EVERGREEN_ON_FAILURE \"\$@\"" on-failure "$name" "$as_of" "$PWD/$log" 9>&- || true
    fi
    exit "$code"
}

# cycle AS_OF MODE: take over what others have recorded, make the run, share it. Where another clone
# has pushed in the meantime, take that over as well and make the run again.
cycle() {
    local share=()
    if git rev-parse --verify --quiet '@{upstream}' >/dev/null; then share=(--push); fi
    evergreen pull && evergreen cycle --as-of "$1" --mode "$2" "${share[@]}" && return
    if [ -n "$(git rev-list 'HEAD..@{upstream}' 2>/dev/null)" ]; then
        evergreen pull && evergreen cycle --as-of "$1" --mode "$2" "${share[@]}"
    else
        return 1
    fi
}
