// The table `pgtally.offsets` of a target database: how far each job has read each partition. What moves it together with rows
// is in statements.ts. Here it is made, read, filled at first sight and reset.
import { Failure } from '../model/failure.ts';
import type { JobName } from '../model/units.ts';
import type { CallOptions, Connection } from '../postgres/connection.ts';
import { type Move, moveStatement } from './statements.ts';

/** The row of one partition. */
export interface StoredOffset {
  readonly job: JobName;
  readonly partition: number;
  /** The offset of the next message. */
  readonly next: number;
  /** The id of the topic it was read from; null where the broker has none. */
  readonly topicId: string | null;
  /** Who moved it last. */
  readonly owner: string | null;
}

/** What a person with the rights runs when the role of a job may not. */
export const DDL = `create schema if not exists pgtally;
create table if not exists pgtally.offsets (
  job text not null,
  topic text not null,
  partition int not null,
  next bigint not null,
  topic_id text,
  owner text,
  moved_at timestamptz not null default now(),
  primary key (job, topic, partition)
) with (fillfactor = 50);
create table if not exists pgtally.dead_letters (
  job text not null,
  topic text not null,
  partition int not null,
  "offset" bigint not null,
  "timestamp" timestamptz,
  sqlstate text not null,
  error text not null,
  envelope json not null,
  written_at timestamptz not null default now()
);`;

export interface TablesWanted extends CallOptions {
  /** Whether the table of dead letters is needed as well. */
  readonly deadLetters: boolean;
}

/** Makes the tables that are not there. Rejects with a Failure (`sql`) that holds the DDL when the role may not. */
export async function ensureTables(connection: Connection, { deadLetters, ...options }: TablesWanted): Promise<void> {
  for (let attempt = 1; !(await haveTables(connection, deadLetters, options)); attempt++) {
    try {
      for (const statement of DDL.split(/(?<=;)\n/)) await connection.execute(statement, [], options);
    } catch (error) {
      // `if not exists` does not hold against another session that makes the same at the same time.
      const raced = error instanceof Failure && RACED.has(error.code ?? '');
      if (!raced || attempt === ATTEMPTS) throw whyNotMade(connection, error);
    }
  }
}

// 42710: the type of the table's rows, which is made before the table is.
const RACED: ReadonlySet<string> = new Set(['23505', '42P06', '42P07', '42710', 'XX000']);
const ATTEMPTS = 5;
const INSUFFICIENT_PRIVILEGE = '42501';
const READ_ONLY = '25006';

async function haveTables(connection: Connection, deadLetters: boolean, options: CallOptions): Promise<boolean> {
  const tables = deadLetters ? ['pgtally.offsets', 'pgtally.dead_letters'] : ['pgtally.offsets'];
  const { rows } = await withGrants(connection, () =>
    connection.execute(
      'select bool_and(to_regclass(name) is not null) as there from unnest($1::text[]) name',
      [tables],
      options,
    ),
  );
  return rows[0]?.there === true;
}

/** Why the tables cannot be made, with what can be done about it. */
function whyNotMade(connection: Connection, error: unknown): unknown {
  if (!(error instanceof Failure) || (error.code !== INSUFFICIENT_PRIVILEGE && error.code !== READ_ONLY)) return error;
  const { user, database } = connection.server;
  const why = error.code === READ_ONLY ? 'the server is read-only' : `role \`${user}\` may not create it`;
  return new Failure(`there is no table \`pgtally.offsets\` to keep next offsets in, and ${why}`, {
    kind: 'sql',
    code: error.code,
    cause: error,
    hint: `run this in database \`${database}\` as its owner:\n${DDL}\n${grants(user)}`,
  });
}

/** Does what needs rights to our tables; when they are missing, the failure says which to grant. */
async function withGrants<T>(connection: Connection, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== INSUFFICIENT_PRIVILEGE) throw error;
    const { kind, code, message } = error;
    throw new Failure(message, { kind, code, cause: error, hint: grants(connection.server.user) });
  }
}

/** What the role of a job needs in our tables, as SQL. */
export function grants(role: string): string {
  const name = /^[a-z_][a-z0-9_]*$/.test(role) ? role : `"${role.replaceAll('"', '""')}"`;
  return `grant usage on schema pgtally to ${name};
grant select, insert, update on pgtally.offsets to ${name};
grant insert on pgtally.dead_letters to ${name};`;
}

/** The rows of a topic, of all jobs. */
export async function readOffsets(
  connection: Connection,
  topic: string,
  options?: CallOptions,
): Promise<readonly StoredOffset[]> {
  const { rows } = await withGrants(connection, () =>
    connection.execute(
      'select job, partition, next, topic_id, owner from pgtally.offsets where topic = $1::text order by job, partition',
      [topic],
      options,
    ),
  );
  return rows.map(toStored);
}

/** The row of one partition, or undefined when there is none. */
export async function readOffset(
  connection: Connection,
  { job, topic, partition }: Pick<Move, 'job' | 'topic' | 'partition'>,
  options?: CallOptions,
): Promise<StoredOffset | undefined> {
  const { rows } = await connection.execute(
    'select job, partition, next, topic_id, owner from pgtally.offsets where job = $1::text and topic = $2::text and partition = $3::int',
    [job, topic, partition],
    options,
  );
  return rows[0] && toStored(rows[0]);
}

/** Where a partition begins, when nobody has written that yet. */
export interface FirstOffset {
  readonly partition: number;
  readonly next: number;
}

/** Writes the first rows of partitions; those that are there stay as they are. */
export async function insertOffsets(
  connection: Connection,
  place: { readonly job: JobName; readonly topic: string; readonly topicId: string | undefined },
  first: readonly FirstOffset[],
  options?: CallOptions,
): Promise<void> {
  await connection.execute(
    'insert into pgtally.offsets (job, topic, topic_id, partition, next) ' +
      'select $1::text, $2::text, $3::text, p, n from unnest($4::int[], $5::bigint[]) f(p, n) on conflict do nothing',
    [
      place.job,
      place.topic,
      place.topicId ?? null,
      first.map(({ partition }) => partition),
      first.map(({ next }) => next),
    ],
    options,
  );
}

/** Remembers the topic's id in rows that were written when the broker had none. */
export async function fillTopicId(
  connection: Connection,
  place: { readonly job: JobName; readonly topic: string; readonly topicId: string },
  options?: CallOptions,
): Promise<void> {
  await connection.execute(
    'update pgtally.offsets set topic_id = $3::text where job = $1::text and topic = $2::text and topic_id is null',
    [place.job, place.topic, place.topicId],
    options,
  );
}

/** Moves a next offset without rows; false when somebody else had moved it. */
export async function moveOffset(connection: Connection, move: Move, options?: CallOptions): Promise<boolean> {
  const { text, parameters } = moveStatement(move);
  return (await connection.execute(text, parameters, options)).count === 1;
}

/** Sets next offsets whatever they were; rows that are missing are made. */
export async function resetOffsets(
  connection: Connection,
  place: { readonly job: JobName; readonly topic: string; readonly topicId: string | undefined },
  wanted: readonly FirstOffset[],
  options?: CallOptions,
): Promise<void> {
  await connection.execute(
    'insert into pgtally.offsets (job, topic, topic_id, partition, next) ' +
      'select $1::text, $2::text, $3::text, p, n from unnest($4::int[], $5::bigint[]) f(p, n) ' +
      'on conflict (job, topic, partition) do update ' +
      'set next = excluded.next, topic_id = excluded.topic_id, owner = null, moved_at = now()',
    [
      place.job,
      place.topic,
      place.topicId ?? null,
      wanted.map(({ partition }) => partition),
      wanted.map(({ next }) => next),
    ],
    options,
  );
}

function toStored(row: Record<string, unknown>): StoredOffset {
  return {
    job: String(row.job),
    partition: Number(row.partition),
    next: Number(row.next),
    topicId: typeof row.topic_id === 'string' ? row.topic_id : null,
    owner: typeof row.owner === 'string' ? row.owner : null,
  };
}
