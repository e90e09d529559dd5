#!/usr/bin/env bash
# Measures other products with the client that measures this one, on the same
# tools, policies and requests. bench/README.md says how and what to read from it.
#
#   bench/compare.sh decisions [policies...]   aims, OPA and Cerbos over HTTP
#   bench/compare.sh calls                     aims and vmcp before an MCP server
#
# AIMS, OPA, CERBOS and VMCP name the programs; those that are unset are left out.
set -euo pipefail
: "${AIMS:?set AIMS to the aims binary, which is also the client}"
seconds=${SECONDS_EACH:-5}
work=$(mktemp -d)
running=()
cleanup() {
  for pid in "${running[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

# start NAME COMMAND... runs a server in the background; pid is its process.
start() {
  local name=$1
  shift
  "$@" >"$work/$name.out" 2>"$work/$name.err" </dev/null &
  pid=$!
  running+=("$pid")
}

# child ROLE ARGUMENT... starts a process of the benchmark and prints its first line.
child() {
  local name=$1
  rm -f "$work/$name.in" "$work/$name.out"
  mkfifo "$work/$name.in"
  "$AIMS" bench-child "$@" <"$work/$name.in" >"$work/$name.out" 2>"$work/$name.err" &
  pid=$!
  running+=("$pid")
  exec {keep}>"$work/$name.in" # it ends when this is closed
  until [ -s "$work/$name.out" ]; do
    kill -0 "$pid" 2>/dev/null || { cat "$work/$name.err" >&2; exit 1; }
    sleep 0.1
  done
}

stop() { kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; }

ready() { # URL
  for _ in $(seq 600); do
    if curl -sf -o "$work/health" "$1"; then return; fi
    sleep 0.1
  done
  echo "nothing answers at $1" >&2
  exit 1
}

# field NAME FILE prints a string of a JSON object on one line.
field() { sed 's/.*"'"$1"'":"\([^"]*\)".*/\1/' "$2"; }

# cpu PID prints the processor time of a process so far, in ms (proc(5)).
cpu() { awk -v hz="$(getconf CLK_TCK)" '{sub(/.*\) /, ""); print ($12 + $13) * 1000 / hz}' "/proc/$1/stat"; }

# measure NAME CONNECTIONS URL GOOD BODY HEADER... prints one row for the
# server whose process is pid.
measure() {
  local name=$1 connections=$2 url=$3 good=$4 body=$5 before after
  shift 5
  "$AIMS" bench-child load "$url" "$connections" 1 "$good" "$body" "$@" </dev/null >"$work/warm"
  before=$(cpu "$pid")
  "$AIMS" bench-child load "$url" "$connections" "$seconds" "$good" "$body" "$@" </dev/null >"$work/result"
  after=$(cpu "$pid")
  awk -F'[:,}]' -v name="$name" -v ms="$(awk "BEGIN{print $after - $before}")" \
    '{printf "%-44s %10.0f/s   p50 %7.2f ms   p99 %7.2f ms   cpu %6.3f ms\n", name, $4, $6, $8, ms / $2}' "$work/result"
}

# policies N writes N policies, one for each pair of a role and a tool, for each product.
policies() {
  local n=$1 tools=$(($1 < 100 ? $1 : 100))
  rm -rf "$work/p" && mkdir -p "$work/p/opa" "$work/p/cerbos" "$work/p/policies"
  awk -v n="$n" 'BEGIN {
    print "package desk\n\ndefault allow := false\n"
    for (i = 0; i < n; i++)
      printf "allow if {\n\tinput.role == \"role-%d\"\n\tinput.tool == \"tool-%d\"\n\tinput.arguments.amount < 500\n}\n\n", int(i / 100), i % 100
  }' >"$work/p/opa/desk.rego"
  awk -v n="$n" -v tools="$tools" -v dir="$work/p/cerbos" 'BEGIN {
    for (t = 0; t < tools; t++) {
      file = dir "/tool-" t ".yaml"
      printf "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: tool-%d\n  version: default\n  rules:\n", t >file
      for (i = t; i < n; i += 100)
        printf "    - actions: [\"call\"]\n      effect: EFFECT_ALLOW\n      roles: [\"role-%d\"]\n      condition: {match: {expr: request.resource.attr.amount < 500.0}}\n", int(i / 100) >file
      close(file)
    }
  }'
  # Several files, because one of aims' may have a megabyte.
  awk -v n="$n" -v dir="$work/p/policies" 'BEGIN {
    for (i = 0; i < n; i++)
      printf "@id(\"p%d\")\npermit (principal in Role::\"role-%d\", action == Action::\"desk___tool-%d\", resource)\nwhen { context.input.amount.lessThan(decimal(\"500.0\")) };\n\n", i, int(i / 100), i % 100 >(dir "/desk-" int(i / 1000) ".cedar")
  }'
  {
    printf 'listen: 127.0.0.1:18642\ndata_dir: data\npolicy_dir: policies\nservers:\n  - name: desk\n    tools:\n'
    for t in $(seq 0 $((tools - 1))); do
      echo "      - {name: tool-$t, input: {properties: {to: {type: string}, amount: {type: number}}, required: [to, amount]}}"
    done
  } >"$work/p/aims.yaml"
}

# agent URL BOOTSTRAP ROLE prints a new key of an agent with a role.
agent() {
  curl -sf -H "Authorization: Bearer $2" -H 'Content-Type: application/json' \
    -d '{"actor":{"type":"agent","id":"billing"},"roles":["'"$3"'"]}' "$1/api/v1/keys" >"$work/key"
  field secret "$work/key"
}

decide_aims() { # N
  local url key
  child gateway "$work/p/aims.yaml"
  url=$(field url "$work/gateway.out")
  key=$(agent "$url" "$(field bootstrap "$work/gateway.out")" role-0)
  echo '{"subject":{"type":"agent","id":"billing"},"action":{"name":"tools/call"},"resource":{"type":"tool","id":"desk___tool-0","properties":{"to":"supplier-1","amount":200.25}}}' >"$work/body"
  measure "aims, $1 policies, durable receipts" 64 "$url/access/v1/evaluation" '"decision":true' "$work/body" "Authorization: Bearer $key"
  stop
}

decide_opa() { # N console|none
  local log=(--log-level error)
  if [ "$2" = console ]; then log=(--log-level info --set decision_logs.console=true); fi
  start opa "$OPA" run --server --addr 127.0.0.1:18181 "${log[@]}" "$work/p/opa"
  ready http://127.0.0.1:18181/health
  echo '{"input":{"agent":"billing","role":"role-0","tool":"tool-0","arguments":{"to":"supplier-1","amount":200.25}}}' >"$work/body"
  measure "opa, $1 policies, decision log: $2" 64 http://127.0.0.1:18181/v1/data/desk/allow '"result":true' "$work/body"
  stop
}

decide_cerbos() { # N none|file|local
  local audit=
  case $2 in
    file) audit="audit: {enabled: true, accessLogsEnabled: false, decisionLogsEnabled: true, backend: file, file: {path: $work/audit.log}}" ;;
    local) audit="audit: {enabled: true, accessLogsEnabled: false, decisionLogsEnabled: true, backend: local, local: {storagePath: $work/audit}}" ;;
  esac
  cat >"$work/cerbos.yaml" <<EOF
server: {httpListenAddr: "127.0.0.1:18192", grpcListenAddr: "127.0.0.1:18193"}
telemetry: {disabled: true}
storage: {driver: disk, disk: {directory: $work/p/cerbos, watchForChanges: false}}
$audit
EOF
  start cerbos "$CERBOS" server --config="$work/cerbos.yaml" --log-level=error
  ready http://127.0.0.1:18192/_cerbos/health
  echo '{"requestId":"r","principal":{"id":"billing","roles":["role-0"]},"resources":[{"actions":["call"],"resource":{"kind":"tool-0","id":"desk","attr":{"to":"supplier-1","amount":200.25}}}]}' >"$work/body"
  measure "cerbos, $1 policies, audit log: $2" 64 http://127.0.0.1:18192/api/check/resources EFFECT_ALLOW "$work/body"
  stop
  rm -rf "$work/audit" "$work/audit.log"
}

decisions() {
  for n in "$@"; do
    policies "$n"
    decide_aims "$n"
    if [ -n "${OPA:-}" ]; then for log in none console; do decide_opa "$n" "$log"; done; fi
    if [ -n "${CERBOS:-}" ]; then for log in none file local; do decide_cerbos "$n" "$log"; done; fi
  done
}

accept='Accept: application/json, text/event-stream'

# session URL prints the id of a new MCP session (2025-11-25).
session() {
  local post=(curl -sf -H 'Content-Type: application/json' -H "$accept" "$1")
  "${post[@]}" -D "$work/headers" -o "$work/hello" \
    -d '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}'
  local id
  id=$(tr -d '\r' <"$work/headers" | awk 'tolower($1) == "mcp-session-id:" {print $2}')
  "${post[@]}" -o "$work/hello" -H "Mcp-Session-Id: $id" -H 'MCP-Protocol-Version: 2025-11-25' -d '{"jsonrpc":"2.0","method":"notifications/initialized"}'
  echo "$id"
}

# call NAME writes the call of a tool to body; @N@ becomes a number in each request.
call() { echo '{"jsonrpc":"2.0","id":@N@,"method":"tools/call","params":{'"$2"'"name":"'"$1"'","arguments":{"to":"supplier-1","amount":200}}}' >"$work/body"; }

call_direct() { # CONNECTIONS
  pid=$upstream
  call transfer_funds ''
  measure "direct, $1 at a time" "$1" "$desk" 'EUR transferred' "$work/body" "$accept" 'MCP-Protocol-Version: 2025-11-25'
}

call_aims() { # CONNECTIONS
  pid=$gateway
  call transfer_funds '"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}},'
  measure "aims, $1 at a time, two durable receipts" "$1" "$url/mcp/payments" 'EUR transferred' "$work/body" \
    "$accept" 'MCP-Protocol-Version: 2026-07-28' 'Mcp-Method: tools/call' 'Mcp-Name: transfer_funds' "Authorization: Bearer $key"
}

call_vmcp() { # CONNECTIONS
  pid=$vmcp
  call payments_transfer_funds ''
  measure "vmcp, $1 at a time, audit file" "$1" http://127.0.0.1:14483/mcp 'EUR transferred' "$work/body" \
    "$accept" 'MCP-Protocol-Version: 2025-11-25' "Mcp-Session-Id: $vmcp_session"
}

start_vmcp() {
  cat >"$work/vmcp.yaml" <<EOF
name: desk
groupRef: desk
backends: [{name: payments, url: "$desk", transport: streamable-http}]
incomingAuth:
  type: anonymous
  authz:
    type: cedar
    policies:
      - 'permit(principal, action == Action::"call_tool", resource == Tool::"payments_transfer_funds") when { !(context has arg_amount) || context.arg_amount.lessThan(decimal("500.0")) };'
      - 'permit(principal, action == Action::"list_tools", resource);'
outgoingAuth: {source: inline, default: {type: unauthenticated}}
aggregation: {conflictResolution: prefix, conflictResolutionConfig: {prefixFormat: "{workload}_"}}
audit: {enabled: true, component: desk, includeRequestData: true, includeResponseData: true, maxDataSize: 4096, logFile: $work/vmcp-audit.log}
EOF
  start vmcp "$VMCP" serve -c "$work/vmcp.yaml" --port 14483
  vmcp=$pid
  ready http://127.0.0.1:14483/health
  vmcp_session=$(session http://127.0.0.1:14483/mcp)
}

calls() {
  local upstream desk gateway url key vmcp vmcp_session callers
  child upstream
  upstream=$pid desk=$(field url "$work/upstream.out")
  mkdir -p "$work/g/policies"
  printf 'listen: 127.0.0.1:18642\ndata_dir: data\npolicy_dir: policies\nservers: [{name: payments, url: "%s"}]\n' "$desk" >"$work/g/aims.yaml"
  echo '@id("p") permit (principal in Role::"role-0", action == Action::"payments___transfer_funds", resource) when { context.input.amount.lessThan(decimal("500.0")) };' >"$work/g/policies/desk.cedar"
  child gateway "$work/g/aims.yaml"
  gateway=$pid url=$(field url "$work/gateway.out")
  key=$(agent "$url" "$(field bootstrap "$work/gateway.out")" role-0)
  if [ -n "${VMCP:-}" ]; then start_vmcp; fi
  for callers in 1 16; do
    for _ in 1 2 3; do
      call_direct "$callers"
      call_aims "$callers"
      if [ -n "${VMCP:-}" ]; then call_vmcp "$callers"; fi
    done
  done
}

case ${1:-} in
  decisions) shift; decisions "${@:-10}" ;;
  calls) calls ;;
  *) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
