# Programs that outlive the script that starts them: sourced. The state folder has a file for each, with its pid and
# start time: both together tell it from another process that got the same pid later.
# shellcheck shell=bash disable=SC2154 # $state is of env.sh

# start_time PID: in ticks since the machine's start; fails when there is no such process, or only its exit status is left.
start_time() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    read -ra stat <<<"${stat##*) }"
    [ "${stat[0]}" != Z ] && echo "${stat[19]}"
}

# running NAME
running() {
    local pid born
    read -r pid born 2>/dev/null <"$state/pid/$1" && [ "$born" = "$(start_time "$pid")" ]
}

# start NAME COMMAND…: in the background, unless it runs; one that was paused goes on. The process itself writes its
# file before it becomes the program, so that there is none without a file, whenever this script is killed.
start() {
    local name=$1
    shift
    if running "$name"; then
        send CONT "$name"
        return
    fi
    rm -f "$state/pid/$name"
    (
        pid=$BASHPID
        echo "$pid $(start_time "$pid")" >"$state/pid/$name"
        exec setsid "$@"
    ) </dev/null >>"$state/log/$name.log" 2>&1 9<&- &
    until [ -s "$state/pid/$name" ]; do kill -0 $!; done
}

# send SIGNAL NAME
send() {
    local pid
    if running "$2"; then
        read -r pid _ <"$state/pid/$2"
        kill "-$1" "$pid" 2>/dev/null || true
    fi
}

gone() {
    local name
    for name; do if running "$name"; then return 1; fi; done
}

# stop NAME…: all at once. Three seconds are enough for all but the API server, which would wait a minute for its
# watchers.
stop() {
    local name
    for name; do send TERM "$name"; done
    within 3 gone "$@" || for name; do send KILL "$name"; done
    within 10 gone "$@" || { echo "still running: $*" >&2; return 1; }
    for name; do rm -f "$state/pid/$name"; done
}

# within SECONDS COMMAND…: repeats the command until it succeeds; fails if it does not in time.
within() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        if [ $SECONDS -ge "$end" ]; then return 1; fi
        sleep 0.1
    done
}

answers_or_ended() {
    local name=$1
    shift
    "$@" || ! running "$name"
}

# await NAME COMMAND…: waits until the command succeeds; fails if the program ended, or after a minute.
await() {
    local name=$1
    shift
    if ! within 60 answers_or_ended "$name" "$@" || ! "$@" >/dev/null; then
        echo "$name did not start; the end of $state/log/$name.log:" >&2
        tail --lines 5 "$state/log/$name.log" >&2
        return 1
    fi
}

# step WHAT COMMAND…: prints how long it took.
step() {
    local what=$1 began=${EPOCHREALTIME/[.,]/} took
    shift
    "$@"
    took=$(((${EPOCHREALTIME/[.,]/} - began) / 100000))
    echo "cluster: $what in $((took / 10)).$((took % 10)) s"
}
