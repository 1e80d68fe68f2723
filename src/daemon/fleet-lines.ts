// One thing that happens to many servers at once is told in a few lines: the first servers each have their own, the others
// are gathered into one line that counts and names them. Nothing is left out: the counts add up, and at level `debug` each
// line is there as well.
import { nameSome } from '../model/name-some.ts';
import type { Milliseconds, ServerName } from '../model/units.ts';
import type { Level, Log, LogFields } from './log.ts';

export interface FleetLine {
  /** Lines of one group say the same of different servers. */
  readonly group: string;
  readonly level: Exclude<Level, 'debug'>;
  readonly msg: string;
  /** All that a line of its own says, after its `job` and the server. */
  readonly fields: LogFields;
  readonly server: ServerName;
  /** Of `fields`, those that hold for all of the group. */
  readonly shared: readonly string[];
  /** What is added up over the gathered lines: runs, slots. */
  readonly counts: Readonly<Record<string, number>>;
}

export interface FleetLines {
  say(line: FleetLine): void;
  /** Writes what is gathered. To be called before the end of the process. */
  flush(): void;
}

/** So many servers of a group have lines of their own. */
const AT_ONCE = 3;
/** How long is gathered: longer while it goes on, for servers that fail one after the other. */
const WINDOWS: readonly Milliseconds[] = [1000, 10_000, 60_000];

interface Group {
  /** The servers with lines of their own. */
  readonly alone: Set<ServerName>;
  window: number;
  readonly gathered: FleetLine[];
  timer: NodeJS.Timeout;
}

export function createFleetLines(log: Log): FleetLines {
  const groups = new Map<string, Group>();

  const waitFor = (key: string, window: number): NodeJS.Timeout =>
    setTimeout(() => close(key), WINDOWS[Math.min(window, WINDOWS.length - 1)]).unref();

  /** A window has passed: a quiet group ends, another goes on gathering. */
  const close = (key: string): void => {
    const group = groups.get(key);
    if (!group) return;
    if (group.gathered.length === 0) {
      groups.delete(key);
      return;
    }
    write(group.gathered.splice(0));
    group.window++;
    group.timer = waitFor(key, group.window);
  };

  const write = (lines: readonly FleetLine[]): void => {
    const last = lines.at(-1);
    if (!last) return;
    const servers = [...new Set(lines.map(({ server }) => server))];
    if (servers.length === 1) {
      log[last.level](last.msg, { ...withServer(last), ...(lines.length > 1 ? totals(lines) : {}) });
      return;
    }
    const shared = Object.fromEntries(last.shared.map((name) => [name, last.fields[name]]));
    log[last.level](`${last.msg}: ${servers.length} servers`, {
      ...shared,
      servers: servers.length,
      names: nameSome(servers),
      ...totals(lines),
    });
  };

  return {
    say(line) {
      let group = groups.get(line.group);
      if (!group) {
        group = { alone: new Set(), window: 0, gathered: [], timer: waitFor(line.group, 0) };
        groups.set(line.group, group);
      }
      if (group.window === 0 && (group.alone.size < AT_ONCE || group.alone.has(line.server))) {
        group.alone.add(line.server);
        log[line.level](line.msg, withServer(line));
        return;
      }
      group.gathered.push(line);
      log.debug(line.msg, withServer(line));
    },
    flush() {
      for (const { gathered, timer } of groups.values()) {
        clearTimeout(timer);
        write(gathered);
      }
      groups.clear();
    },
  };
}

function withServer({ fields, server }: FleetLine): LogFields {
  const { job, ...rest } = fields;
  return { job, server, ...rest };
}

function totals(lines: readonly FleetLine[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { counts } of lines) {
    for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count;
  }
  return sums;
}
