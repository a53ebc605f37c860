#!/usr/bin/env bash
# Runs a command while it holds a lock, like flock(1), but over machines. Needs bash and curl.
#
# Run: examples/poller.sh
#
# or with a lock and a command of your own:  examples/poller.sh nightly/backup ./backup
# Start it twice: the second waits for the first. The server is at TICKETD_URL, else at
# http://127.0.0.1:8001; who you are, if it asks, in TICKETD_TOKEN. Ctrl-C gives everything back.
#
# The command finds the number of its grant in TICKETD_FENCE; hand it to what the lock protects.
# When the session is lost, or the server cannot be reached for too long, the command is ended.
set -u

url=${TICKETD_URL:-http://127.0.0.1:8001}
api=${url%/}/api/v1
ttl=10000    # ms that the session outlives the last request
retry=1      # s between requests
give_up=6    # s without an answer after which the lock counts as lost: with the request that is
             # then under way, and all that is rounded off, still less than the ttl

resource=${1:-examples/nightly}
shift $(($# > 0))
if [ $# -eq 0 ]; then
  set -- sh -c 'for n in 1 2 3 4 5; do echo "working ($n of 5), fence $TICKETD_FENCE"; sleep 1; done'
fi

# In a path, all but a few characters are percent-encoded, byte by byte.
path=$(printf %s "$resource" | od -An -v -tx1 | tr -d ' \n' | sed 's/../%&/g')

session=
command=
headers=$(mktemp)
# Whoever lists processes sees their arguments; this file only we can read.
token=$(mktemp)
[ -z "${TICKETD_TOKEN:-}" ] || echo "Authorization: Bearer $TICKETD_TOKEN" >"$token"
unset TICKETD_TOKEN

clean_up() {
  trap - EXIT INT TERM
  # shellcheck disable=SC2046 # One word for each job.
  kill $command $(jobs -p) 2>/dev/null
  # With the session everything goes that it holds or waits for.
  [ -z "$session" ] || curl -s -m 3 -X DELETE -H "@$token" "$api/sessions/$session" >/dev/null
  rm -f "$headers" "$token"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# ask SECONDS METHOD PATH: prints the answer's body; fails when there is none, or it is an error.
# The id goes into a header, which is kept out of logs.
ask() {
  curl -s -f -m "$1" -X "$2" -D "$headers" -H "@$token" -H "Ticketd-Session: $session" "$api$3"
}

# Ends it all if the last answer was that we may not.
unless_refused() {
  if grep -qE '^HTTP/[0-9.]+ (401|403)' "$headers"; then
    echo "$api does not let us: is TICKETD_TOKEN what it takes?" >&2
    exit 1
  fi
}

open_session() {
  until session=$(ask 5 POST "/sessions?name=poller.sh+$$&ttl=$ttl" | tr -d '"') && [ -n "$session" ]; do
    unless_refused
    echo "no session from $api; trying again" >&2
    sleep $retry
  done
}

# refreshed SECONDS: refreshes the session and prints the status, 000 when there is no answer.
refreshed() {
  curl -s -m "$1" -o /dev/null -w '%{http_code}' -H "@$token" -X PUT "$api/sessions/$session"
}

# Refreshes the session for as long as that works; ends when it is lost.
refresh() {
  local heard=$SECONDS asked
  while [ $((SECONDS - heard)) -lt $give_up ]; do
    sleep $retry
    asked=$SECONDS
    case $(refreshed 1) in
      200) heard=$asked ;;
      404) return ;;
    esac
  done
}

open_session
echo "waiting for $resource"
until granted=$(ask 70 POST "/locks/$path?wait=60000") && [ "$granted" = true ]; do
  # false: the time was up, and one asks again. Nothing: there was an error, or no answer.
  if [ -z "$granted" ]; then
    unless_refused
    if grep -qE '^HTTP/[0-9.]+ (409|422)' "$headers"; then
      echo "$resource is no lock: tickets of that name are there, or it is no name" >&2
      exit 1
    fi
    : >"$headers"
    echo "not answered; trying again" >&2
    sleep $retry
    if [ "$(refreshed 5)" = 404 ]; then open_session; fi
  fi
done
TICKETD_FENCE=$(tr -d '\r' <"$headers" | awk 'tolower($1) == "ticketd-fence:" { print $2 }')
export TICKETD_FENCE
echo "got $resource, fence $TICKETD_FENCE"

"$@" &
command=$!
refresh &
wait -n
if kill -0 "$command" 2>/dev/null; then
  echo "lost $resource; ending the command" >&2
  exit 1
fi
wait "$command"
