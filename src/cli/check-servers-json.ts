// `check --servers --json`: a line for each server, each job on a server, each table missing and each column that differs.
import { lineAndColumn } from '../config/frame.ts';
import type { Failure } from '../model/failure.ts';
import type { MissingTable, TypeDifference } from '../publish/compare-servers.ts';
import type { InspectedJob, InspectedServer } from '../publish/inspect-servers.ts';

/**
 * `{"kind":"server","server","ok",…}`; times in milliseconds, `error` only when it is not ok. `refusal`: of its role, by
 * `privileged: refuse`.
 */
export function serverLine({ server, report, failure }: InspectedServer, refusal?: Failure): string {
  const error = failure ?? refusal;
  return JSON.stringify({
    kind: 'server',
    server: server.name,
    ok: error === undefined,
    ...(report && {
      version: report.version,
      latency_ms: rounded(report.latency),
      role: report.role,
      read_only: report.readOnly,
      standby: report.standby,
      clock_offset_ms: rounded(report.clockOffset),
      clock_uncertainty_ms: rounded(report.clockUncertainty),
      replay_delay_ms: report.replayDelay === undefined ? null : rounded(report.replayDelay),
      excess: report.excess,
      may_create_in: report.mayCreateIn,
    }),
    error: error && errorOf(error),
  });
}

/** `{"kind":"job","job","server","ok","columns":[{"name","type"}],"warnings":[…],"error"?}`. */
export function jobLine({ server }: InspectedServer, job: InspectedJob): string {
  const { prepared, columns, failure, place, warnings } = job;
  const where = place && { file: place.file.path, ...lineAndColumn(place.file, place.span.start) };
  return JSON.stringify({
    kind: 'job',
    job: prepared.job.name,
    server: server.name,
    ok: failure === undefined,
    columns,
    warnings,
    error: failure && { ...errorOf(failure), ...where },
  });
}

/** `{"kind":"missing","table","servers":[…],"jobs":[…]}`. */
export function missingLine(missing: MissingTable): string {
  return JSON.stringify({ kind: 'missing', ...missing });
}

/** `{"kind":"types","job","column","types":[{"type","servers":[…]}]}`; a type of null: the column is missing there. */
export function typesLine({ job, column, types }: TypeDifference): string {
  return JSON.stringify({
    kind: 'types',
    job: job.job.name,
    column,
    types: types.map(({ type, servers }) => ({ type: type ?? null, servers })),
  });
}

/** A failure as `error` of a line; absent parts are left out. */
export function errorOf({ kind, message, code, hint }: Failure) {
  return { kind, message, code, hint };
}

function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}
