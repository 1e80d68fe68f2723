// One command run and measured: wall, CPU of the command, CPU of the whole machine, largest RSS. Linux (/proc) and bash.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Measurement {
  /** Seconds from start to exit. */
  readonly wall: number;
  /** Seconds of user and system time of the command and all it waited for. */
  readonly cpu: number;
  /** Seconds of the machine that were not idle: the command, the broker and Postgres. */
  readonly machine: number;
  /** Largest resident set of the named process, in MB. */
  readonly rss: number;
  readonly stdout: string;
}

const TICKS_PER_SECOND = 100;

/**
 * Runs `script` in bash. `watch` picks the process whose memory counts: a part of its command line. Without it no memory is
 * looked at, which takes time from a run that is over in a quarter of a second.
 */
export async function measure(
  script: string,
  env: Readonly<Record<string, string>>,
  watch?: string,
): Promise<Measurement> {
  const before = busySeconds();
  const started = performance.now();
  const child = spawn('bash', ['-c', `TIMEFORMAT='times %U %S'; set -o pipefail; time { ${script}; }`], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  let rss = 0;
  let running = true;
  const watching = (async (): Promise<void> => {
    while (running && watch !== undefined) {
      rss = Math.max(rss, largestRss(child.pid ?? 0, watch));
      await sleep(100);
    }
  })();
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  const wall = (performance.now() - started) / 1000;
  running = false;
  await watching;
  if (code !== 0) throw new Error(`exit ${code}: ${script}\n${stderr}`);
  const times = /times ([\d.]+) ([\d.]+)/.exec(stderr);
  if (!times) throw new Error(`no times in: ${stderr}`);
  return { wall, cpu: Number(times[1]) + Number(times[2]), machine: busySeconds() - before, rss, stdout };
}

/** Seconds since boot in which the cores were busy, from /proc/stat. */
export function busySeconds(): number {
  const fields = (readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '').trim().split(/\s+/).slice(1).map(Number);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = fields;
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND;
}

/** Seconds of CPU of a process and of the children it has waited for. */
export function processSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  return ((fields[11] ?? 0) + (fields[12] ?? 0) + (fields[13] ?? 0) + (fields[14] ?? 0)) / TICKS_PER_SECOND;
}

/** Largest resident set so far (VmHWM) of a process, in MB; 0 when it is gone. */
export function peakRss(pid: number): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

/** Resident set of a process as it is now (VmRSS), in MB. */
export function residentSet(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN) / 1024;
}

function largestRss(root: number, watch: string): number {
  return Math.max(0, ...descendants(root).map((pid) => (commandLine(pid).includes(watch) ? peakRss(pid) : 0)));
}

function descendants(root: number): number[] {
  const children = readOr(`/proc/${root}/task/${root}/children`).trim().split(' ').filter(Boolean).map(Number);
  return [...children, ...children.flatMap(descendants)];
}

function commandLine(pid: number): string {
  return readOr(`/proc/${pid}/cmdline`).replaceAll('\0', ' ');
}

/** Processes end while they are looked at. */
function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
