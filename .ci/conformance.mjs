// Runs the MCP conformance suite against the Go SDK's everything-server, bare
// and behind the gateway, in both protocol revisions, and fails unless every
// check has the same result on both sides and every scored one passes.
//
//   node conformance.mjs DIR    DIR holds aims, everything-server and npm/
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

const dir = process.argv[2];
const suite = join(dir, "npm/node_modules/@modelcontextprotocol/conformance/dist/index.js");
const revisions = [
  { revision: "2026-07-28", flags: [] },
  { revision: "2025-11-25", flags: ["-stateless=false"] },
];

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

async function answering(url, child, name) {
  for (let i = 0; i < 200; i++) {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}`);
    try {
      await fetch(url);
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error(`${name} does not answer at ${url}`);
}

function start(name, command, args) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (log = (log + data).slice(-20000)));
  child.on("exit", (code) => code && console.log(`${name} ended with ${code}:\n${log}`));
  return child;
}

function run(url, revision, out) {
  const result = spawnSync(process.execPath, [suite, "server", "--url", url, "--requirements", revision, "-o", out], { encoding: "utf8" });
  const checks = new Map();
  for (const folder of readdirSync(out)) {
    const scenario = folder.replace(/-\d{4}-\d{2}-\d{2}T[\d-]+Z$/, "");
    const seen = new Map();
    for (const check of JSON.parse(readFileSync(join(out, folder, "checks.json"), "utf8"))) {
      const n = (seen.get(check.id) ?? 0) + 1; // a scenario may emit one id several times
      seen.set(check.id, n);
      checks.set(`${scenario} / ${check.id}${n > 1 ? ` #${n}` : ""}`, { status: check.status, message: check.errorMessage });
    }
  }
  return { checks, exit: result.status, output: result.stdout };
}

const gatewayConfig = (port, upstream) => `listen: 127.0.0.1:${port}
data_dir: data
policy_dir: policies
anonymous_agent: conformance
servers:
  - name: everything
    url: ${upstream}
`;

const allowAll = `@id("conformance-allow-all")
@reason("the conformance suite may do everything")
permit (principal == Agent::"conformance", action, resource);
`;

let failed = false;
for (const { revision, flags } of revisions) {
  const [bare, gateway] = [await freePort(), await freePort()];
  const upstream = `http://127.0.0.1:${bare}/`;
  const home = join(dir, `gateway-${revision}`);
  mkdirSync(join(home, "policies"), { recursive: true });
  writeFileSync(join(home, "aims.yaml"), gatewayConfig(gateway, upstream));
  writeFileSync(join(home, "policies/allow.cedar"), allowAll);

  const children = [start("everything-server", join(dir, "everything-server"), ["-http", `127.0.0.1:${bare}`, ...flags])];
  try {
    await answering(upstream, children[0], "everything-server");
    children.push(start("aims", join(dir, "aims"), ["serve", "--config", join(home, "aims.yaml")]));
    await answering(`http://127.0.0.1:${gateway}/healthz`, children[1], "aims serve");

    const direct = run(upstream, revision, join(home, "direct"));
    const behind = run(`http://127.0.0.1:${gateway}/mcp/everything`, revision, join(home, "behind"));
    const names = new Set([...direct.checks.keys(), ...behind.checks.keys()]);
    const differences = [...names].filter((name) => direct.checks.get(name)?.status !== behind.checks.get(name)?.status);
    for (const name of differences) {
      const after = behind.checks.get(name);
      console.log(`DIFFERENT ${name}: bare ${direct.checks.get(name)?.status ?? "absent"}, behind the gateway ${after?.status ?? "absent"} ${after?.message ?? ""}`);
    }
    const passed = (side) => [...side.checks.values()].filter((check) => check.status === "SUCCESS").length;
    console.log(`${revision}: bare ${passed(direct)} of ${direct.checks.size} checks pass, behind the gateway ${passed(behind)} of ${behind.checks.size}; scored: bare ${direct.exit === 0 ? "all pass" : "NOT all pass"}, behind the gateway ${behind.exit === 0 ? "all pass" : "NOT all pass"}; ${differences.length} differ`);
    if (differences.length > 0 || direct.checks.size === 0 || direct.exit !== 0 || behind.exit !== 0) failed = true;
  } finally {
    for (const child of children) child.kill();
  }
}
process.exit(failed ? 1 : 0);
