// What became of every message, compared by its offset.
import type { TestDatabase } from '../stack/for-tests.ts';

export interface Tally {
  readonly missing: number;
  readonly doubled: number;
  readonly strange: number;
}

export const NOTHING_WRONG: Tally = { missing: 0, doubled: 0, strange: 0 };

/** The table `main (partition int, "offset" bigint, value text)` against `counts[partition]` messages whose value is their number. */
export async function tally(database: Pick<TestDatabase, 'sql'>, counts: readonly number[]): Promise<Tally> {
  const [row = {}] = await database.sql(`
    with expected as (
      select c.p - 1 as partition, o as "offset"
      from unnest(array[${counts.join(',')}]::int[]) with ordinality c(n, p), generate_series(0, c.n - 1) o),
    found as (select partition, "offset", count(*) as times, max(value) as value from main group by 1, 2)
    select count(*) filter (where f.times is null)::int as missing,
           coalesce(sum(f.times - 1), 0)::int as doubled,
           count(*) filter (where e."offset" is null or f.value <> f."offset"::text)::int as strange
    from expected e full join found f using (partition, "offset")`);
  return { missing: Number(row.missing), doubled: Number(row.doubled), strange: Number(row.strange) };
}

/** A job that writes what `tally` looks at. */
export function tallyJob(name: string, topic: string, how = ''): string {
  const columns = '{partition: partition, "offset": "\\"offset\\"", value: value}';
  return `name: ${name}\n${how}\ningest:\n  topic: ${topic}\n  into: main\n  columns: ${columns}\n`;
}

export const TALLY_TABLE = 'create table main (partition int, "offset" bigint, value text)';
