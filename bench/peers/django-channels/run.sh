#!/bin/bash
# Starts the peer on a throwaway PostgreSQL cluster and a private Redis, prints one JSON
# line describing it, and runs until interrupted. Everything is removed on exit.
#
#   run.sh [PORT]
#
# PORT 0 or none: a free port.   Environment (all optional):
#   PEER_USERS     users to create                       (10)
#   PEER_HISTORY   messages in a second, old chat         (0: no such chat)
#   PEER_CHATS     chats of the first user, of 20 messages (0)
#   PEER_CONSUMER  sync (as in the tutorial) | async      (sync)
#   PEER_LAYER     core | pubsub                          (core)
#   PEER_CAPACITY  queue length of the channel layer      (20000; the stock value is 100)
#   PEER_APP_CPU   CPU list for daphne                    (not pinned)
#   PEER_DB_CPU    CPU list for PostgreSQL and Redis      (not pinned)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=${PEER_PYTHON:-/usr/bin/python3}
pgbin=${PEER_PGBIN:-$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)}
ulimit -n "$(ulimit -Hn)" || true

free_port() { "$python" -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])'; }
# Only for background jobs: it replaces the subshell, so that $! is the server itself.
pin() { local cpus=$1; shift; if [ -n "$cpus" ]; then exec taskset -c "$cpus" "$@"; else exec "$@"; fi; }
as_pg() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }

port=${1:-0}; [ "$port" != 0 ] || port=$(free_port)
pgport=$(free_port)
redisport=$(free_port)
work=$(mktemp -d)
[ "$(id -u)" != 0 ] || chown postgres "$work"
app=; redis=

cleanup() {
  trap - EXIT INT TERM
  local pid
  for pid in $app $redis; do
    kill "$pid" 2>/dev/null || continue
    for _ in $(seq 1 10); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
  done
  (cd / && as_pg "$pgbin/pg_ctl" -D "$work/pg" -m immediate stop >/dev/null 2>&1) || true
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cd "$work"
as_pg "$pgbin/initdb" -D "$work/pg" -U chat -A trust -E UTF8 --no-locale >"$work/initdb.log"
# Server defaults throughout: fsync and synchronous_commit stay on.
as_pg env PEER_CPU="${PEER_DB_CPU:-}" bash -c '
  run() { if [ -n "$PEER_CPU" ]; then taskset -c "$PEER_CPU" "$@"; else "$@"; fi; }
  run "$0/pg_ctl" -D "$1/pg" -w -l "$1/pg.log" -o "-p $2 -c listen_addresses=127.0.0.1 -c unix_socket_directories=" start
' "$pgbin" "$work" "$pgport" >/dev/null
"$pgbin/createdb" -h 127.0.0.1 -p "$pgport" -U chat chat

pin "${PEER_DB_CPU:-}" redis-server --bind 127.0.0.1 --port "$redisport" --save "" \
  --appendonly no --dir "$work" --logfile "$work/redis.log" --maxclients 10000 >/dev/null &
redis=$!

cd "$here"
export DJANGO_SETTINGS_MODULE=chatpeer.settings PYTHONDONTWRITEBYTECODE=1
export PEER_DB_HOST=127.0.0.1 PEER_DB_PORT=$pgport PEER_DB_NAME=chat PEER_DB_USER=chat PEER_REDIS_PORT=$redisport
export PEER_CONSUMER=${PEER_CONSUMER:-sync} PEER_LAYER=${PEER_LAYER:-core} PEER_CAPACITY=${PEER_CAPACITY:-20000}
"$python" manage.py migrate --no-input >"$work/migrate.log"
"$python" manage.py seed --users "${PEER_USERS:-10}" --history "${PEER_HISTORY:-0}" --chats "${PEER_CHATS:-0}" >"$work/seed.json"

# Verbosity 0: no access log.
pin "${PEER_APP_CPU:-}" "$python" -m daphne -v 0 -b 127.0.0.1 -p "$port" chatpeer.asgi:application \
  >"$work/daphne.log" 2>&1 &
app=$!
for _ in $(seq 1 100); do
  (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
  kill -0 "$app" 2>/dev/null || { cat "$work/daphne.log" >&2; exit 1; }
  sleep 0.1
done

"$python" - "$work" "$port" "$pgport" "$app" "$redis" "$pgbin" <<'PY'
import json, os, sys
work, port, pgport, app, redis, pgbin = sys.argv[1:]
info = json.load(open(work + "/seed.json"))
info.update(
    target="django-channels",
    url="http://127.0.0.1:" + port,
    psql=[pgbin + "/psql", "-h", "127.0.0.1", "-p", pgport, "-U", "chat", "-d", "chat", "-qtA"],
    countSql="SELECT count(*) FROM chat_message",
    pids={"app": [int(app)], "redis": [int(redis)],
          "postgres": [int(open(work + "/pg/postmaster.pid").readline())]},
    log=work + "/daphne.log",
    config={k: os.environ.get(k, "") for k in
            ("PEER_CONSUMER", "PEER_LAYER", "PEER_CAPACITY", "PEER_APP_CPU", "PEER_DB_CPU")},
)
print(json.dumps(info), flush=True)
PY
wait "$app"
