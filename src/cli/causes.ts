// What went wrong on several servers in the same way is one problem that names them: `7 servers: connection refused (edge-3, …)`.
import { nameSome } from '../model/name-some.ts';
import type { Problem } from '../model/problem.ts';
import type { Server } from '../model/project.ts';
import type { SourceFile, Span } from '../model/source.ts';

export interface Occurrence {
  readonly server: Server;
  readonly severity: Problem['severity'];
  /** What happened, without the server. */
  readonly cause: string;
  readonly hint?: string | undefined;
  /** What it is about, where no place says so: ``job `x` ``. */
  readonly about?: string;
  readonly place?: { readonly file: SourceFile; readonly span: Span } | undefined;
}

/** One problem for each cause and place, in the order in which they were first met. */
export function groupByCause(occurrences: readonly Occurrence[]): Problem[] {
  const groups = new Map<string, Occurrence[]>();
  for (const occurrence of occurrences) {
    const { severity, about, place } = occurrence;
    const key = JSON.stringify([severity, about, place?.file.path, place?.span.start, withoutAddress(occurrence)]);
    groups.set(key, [...(groups.get(key) ?? []), occurrence]);
  }
  return [...groups.values()].map(toProblem);
}

function toProblem(group: readonly Occurrence[]): Problem {
  const [first, ...others] = group as readonly [Occurrence, ...Occurrence[]];
  const about = first.about === undefined ? '' : `${first.about}: `;
  const names = group.map(({ server }) => server.name);
  const message =
    others.length === 0
      ? `${first.server.name}: ${about}${first.cause}`
      : `${names.length} servers: ${about}${withoutAddress(first)} (${nameSome(names)})`;
  const shared = others.every(({ hint }) => hint === first.hint);
  const hint = first.hint === undefined || shared ? first.hint : `${first.server.name}: ${first.hint}`;
  return { severity: first.severity, message, ...(hint === undefined ? {} : { hint }), ...first.place };
}

/** The cause as it is for all servers: their addresses are part of some messages. */
function withoutAddress({ cause, server }: Occurrence): string {
  return cause.replaceAll(`${server.host}:${server.port}`, 'the address').replaceAll(`\`${server.host}\``, 'its host');
}
