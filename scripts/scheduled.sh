# Sourced by the scheduled scripts: environment, log, one job at a time, visible failures. They need bash and
# what Linux, macOS and BSD have; no GNU tools.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# cron sets neither the environment of this repository nor a language.
export PATH="$PWD/.venv/bin:$PATH" PYTHONUNBUFFERED=1
utf8=C.UTF-8
[ "$(uname)" != Darwin ] || utf8=en_US.UTF-8  # macOS has no C.UTF-8 before version 14
export LC_ALL="${LC_ALL:-$utf8}"
MAX_LOGS=90

# scheduled NAME AS_OF COMMAND...: run the command with its output in logs/NAME-AS_OF.log, and at a
# terminal on the screen as well. A line about a run that is waiting for review is printed, so that cron
# mails it. If the command fails, its last lines go to stderr, which cron mails; $EVERGREEN_ON_FAILURE, if
# set, is called with the name, the date and the log; and the exit code is passed on.
scheduled() {
    local name=$1 as_of=$2 code=0 first_line
    local log="logs/$name-$as_of.log"
    shift 2
    if ! [[ $as_of =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}$ ]]; then
        printf '%q is not a date (expected YYYY-MM-DD)\n' "$as_of" >&2
        exit 2
    fi
    mkdir -p logs
    # Their names have no blanks: each is a name from these scripts, and a date.
    find logs -name '*.log' -exec ls -t {} + | tail -n +"$MAX_LOGS" | while read -r old; do rm -f "$old"; done
    # Wait for the job before this one; evergreen itself would refuse to run.
    exec 9>logs/.lock
    python3 -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
    printf '%s\n' "--- $name of $as_of" >>"$log"
    first_line=$(($(wc -l <"$log")))
    if [ -t 1 ]; then
        rm -f logs/.output && mkfifo logs/.output
        tee -i -a "$log" <logs/.output 9>&- &
        "$@" >logs/.output 2>&1 9>&- || code=$?
        wait && rm -f logs/.output
    else
        "$@" >>"$log" 2>&1 9>&- || code=$?
        tail -n +"$first_line" "$log" | grep -e 'waiting for review on' -e 'on the branch unpushed-' || true
    fi
    [ "$code" = 0 ] && return
    {
        echo "evergreen: $name of $as_of failed with exit code $code; the last lines of $PWD/$log:"
        tail -n +"$first_line" "$log" | tail -n 20
    } >&2
    if [ -n "${EVERGREEN_ON_FAILURE:-}" ]; then
        bash -c "$EVERGREEN_ON_FAILURE \"\$@\"" on-failure "$name" "$as_of" "$PWD/$log" 9>&- || true
    fi
    exit "$code"
}

# run COMMAND...: run a command and wait until it ends. A signal to this script alone would leave it at work,
# so it is passed on.
stopped=
run() {
    local code=0 pid
    "$@" <&0 &
    pid=$!
    trap 'stopped=yes; kill -TERM "$pid" 2>/dev/null' INT TERM HUP
    wait "$pid" || code=$?
    while [ -n "$stopped" ] && kill -0 "$pid" 2>/dev/null; do wait "$pid" || code=$?; done
    trap - INT TERM HUP
    return "$code"
}

# cycle AS_OF MODE: pull what others have recorded, make the run, and push it if there is an upstream. If
# another clone has pushed meanwhile, pull again and repeat the run.
once() { run evergreen pull && run evergreen cycle --as-of "$1" --mode "$2" ${push:+"$push"}; }
cycle() {
    local code=0 push=
    if git rev-parse --verify --quiet '@{upstream}' >/dev/null 2>&1; then push=--push; fi
    once "$@" && return || code=$?
    [ -z "$stopped" ] && [ -n "$(git rev-list 'HEAD..@{upstream}' 2>/dev/null)" ] || return "$code"
    once "$@"
}
