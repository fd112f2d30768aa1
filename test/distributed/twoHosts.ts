import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Two network namespaces of this machine, joined by a cable of their own: each has one address and its own host name and shared memory. */
export interface TwoHosts {
  readonly names: readonly [string, string];
  readonly addresses: readonly [string, string];
  /** Command that runs what follows it on the first host. */
  readonly enter: readonly string[];
  /** Options of Open MPI's mpirun for one rank a host, with an agent in the place of ssh. */
  readonly options: readonly string[];
  /** Bytes that the first host has sent to the other. */
  sentBytes(): number;
  /** Takes the cable out of the first host, and plugs it in again. */
  cable(state: "down" | "up"): void;
  remove(): void;
}

const ip = (...args: readonly string[]) => execFileSync("ip", args, { stdio: ["ignore", "pipe", "pipe"] }).toString();

/** Makes the hosts; undefined, with the reason on standard error, where this process may not or the program `ip` is missing. */
export function twoHosts(): TwoHosts | undefined {
  const names = [`ocu-${process.pid}a`, `ocu-${process.pid}b`] as const;
  const addresses = ["10.77.0.1", "10.77.0.2"] as const;
  const folder = mkdtempSync(join(tmpdir(), "hosts-"));
  const remove = () => {
    // A namespace takes its end of the cable with it. What a cut cable has left in it is ended first.
    for (const name of names) {
      try {
        for (const id of ip("netns", "pids", name).split("\n").filter(Boolean)) process.kill(Number(id), "SIGKILL");
        ip("netns", "del", name);
      } catch {
        // It was not made.
      }
    }
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    for (const name of names) ip("netns", "add", name);
    ip("link", "add", "cable", "netns", names[0], "type", "veth", "peer", "name", "cable", "netns", names[1]);
    names.forEach((name, i) => {
      ip("-n", name, "addr", "add", `${addresses[i]}/24`, "dev", "cable");
      for (const device of ["lo", "cable"]) ip("-n", name, "link", "set", device, "up");
    });
  } catch (error) {
    remove();
    process.stderr.write(`SKIPPED: no network namespaces for the test of two hosts: ${(error as Error).message}\n`);
    return undefined;
  }
  const agent = join(folder, "agent");
  writeFileSync(agent, agentScript(names, addresses));
  chmodSync(agent, 0o755);
  const options = [
    ...["--mca", "plm_rsh_agent", agent],
    ...["--mca", "btl_tcp_if_include", "10.77.0.0/24", "--mca", "oob_tcp_if_include", "10.77.0.0/24"],
    ...["--host", addresses.map((address) => `${address}:1`).join(",")],
  ];
  return {
    names,
    addresses,
    enter: [...entering(names[0]), `${settled(names[0])} && exec "$@"`, "sh"],
    options,
    sentBytes: () => JSON.parse(ip("-n", names[0], "-s", "-j", "link", "show", "cable"))[0].stats64.tx.bytes as number,
    cable: (state) => void ip("-n", names[0], "link", "set", "cable", state),
    remove,
  };
}

/** A shell in a namespace, with a host name and a shared memory of its own, that runs the text after it. */
const entering = (name: string) => ["ip", "netns", "exec", name, "unshare", "--uts", "--ipc", "--mount", "sh", "-c"];
const settled = (name: string) => `hostname ${name} && mount -t tmpfs tmpfs /dev/shm`;

/** What mpirun calls as it would call ssh: with the host, and a command for its shell. */
function agentScript(names: readonly string[], addresses: readonly string[]): string {
  const cases = names.map(
    (name, i) => `  ${addresses[i]}) exec ${entering(name).join(" ")} "${settled(name)} && $*";;`,
  );
  return `#!/bin/sh
host=$1; shift
case $host in
${cases.join("\n")}
esac
echo "no host $host" >&2
exit 1
`;
}
