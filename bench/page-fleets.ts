// The two fleets that the status page is pictured and measured with. Each server is a loopback address of one Postgres; what
// fails, fails for real.

/** Names of jobs and what they ask; each with the rows of that number of databases, settings or the like. */
const QUERIES: readonly (readonly [name: string, query: string])[] = [
  ['active-sessions', 'select state, count(*) as n from pg_stat_activity group by state'],
  ['archiver', 'select archived_count, failed_count from pg_stat_archiver'],
  ['bgwriter', 'select * from pg_stat_bgwriter'],
  ['blocked-queries', 'select pid from pg_stat_activity where cardinality(pg_blocking_pids(pid)) > 0'],
  ['cache-hit-ratio', cacheHits()],
  ['checkpoints', 'select checkpoint_lsn, checkpoint_time from pg_control_checkpoint()'],
  ['connections', 'select datname, numbackends from pg_stat_database'],
  ['database-sizes', 'select datname, pg_database_size(oid) as bytes from pg_database where datallowconn'],
  ['deadlocks', 'select datname, deadlocks from pg_stat_database where deadlocks > 0'],
  ['extensions', 'select extname, extversion from pg_extension'],
  ['idle-in-transaction', "select pid from pg_stat_activity where state = 'idle in transaction (aborted)'"],
  ['index-usage', 'select indexrelname, idx_scan from pg_stat_sys_indexes limit 40'],
  ['slru', 'select name, blks_hit, blks_read from pg_stat_slru'],
  ['locks', 'select mode, count(*) as n from pg_locks group by mode'],
  ['replication-lag', 'select application_name, replay_lag from pg_stat_replication'],
  ['roles', 'select rolname from pg_roles'],
  ['settings', "select name, setting from pg_settings where category like 'Autovacuum%'"],
  ['table-sizes', 'select relname, pg_relation_size(oid) as bytes from pg_class order by 2 desc limit 25'],
  ['wal', 'select wal_records, wal_bytes from pg_stat_wal'],
  ['xid-age', 'select datname, age(datfrozenxid) as age from pg_database'],
];

/** 20 jobs that are all due at one minute of the hour: 20,000 runs, and then it is quiet. */
export const manyJobs = (minute: number): string =>
  QUERIES.map(
    ([name, query]) => `name: ${name}
schedule: "${minute} * * * *"
timeout: 5m
servers: {fleet: "yes"}
query: ${JSON.stringify(query)}
topic: {name: ${name.toUpperCase()}, partitions: 4}
concurrency: 128
retries: 0
`,
  ).join('---\n');

/** 1,000 in four regions; eight of them refuse. */
export function manyServers(user: string, port: number): string[] {
  const regions = ['ap', 'eu', 'sa', 'us'].map(
    (region, index) =>
      `  - {name: "${region}-{n}", for: {n: 1..248}, url: "postgres://${user}@127.0.${index + 1}.{n}:${port}/postgres", labels: {fleet: "yes", region: ${region}}}`,
  );
  return [
    ...regions,
    '  - {name: "us-old-{n}", for: {n: 1..8}, url: "postgres://app@127.0.9.{n}:1/app", labels: {fleet: "yes", region: us}}',
  ];
}

/** 5 jobs on three shards; one of them has a fault that shows on one server. */
export const FEW_JOBS = `name: orders-per-minute
description: Orders by group, as they come in
schedule: "*/2 * * * * *"
timezone: Europe/Berlin
servers: {role: shard}
query: |
  -- how many of each group, on each shard
  select now() as at, 'P' || i as group_id, (random() * 90)::int as orders
  from generate_series(1, (4 + 3 * sin(extract(epoch from now()) / 9))::int) i
topic: {name: ORDERS, partitions: 4}
key: group_id
---
name: database-sizes
description: The size of every database
schedule: "*/10 * * * * *"
servers: {role: shard}
query: select datname, pg_database_size(oid) as bytes from pg_database where datallowconn
topic: {name: DATABASE_SIZES, partitions: 4}
key: datname
---
name: cache-hit-ratio
description: Blocks found in memory
schedule: "*/5 * * * * *"
servers: {role: shard}
query: ${JSON.stringify(cacheHits('%.3'))}
topic: {name: CACHE_HITS, partitions: 4}
---
name: slow-queries
schedule: "*/10 * * * * *"
servers: {role: shard}
query: select pid, query from pg_stat_activity where state = 'active' and query_start < now() - interval '1 hour'
topic: {name: SLOW_QUERIES, partitions: 4}
---
name: rebuild-dimension
description: Once a quarter, by hand
servers: shard-1
query: select i from generate_series(1, 10) i
topic: {name: DIMENSION, partitions: 4}
`;

export function fewServers(user: string, port: number): string[] {
  return [1, 2, 3].map(
    (n) => `  - {name: shard-${n}, url: "postgres://${user}@127.0.0.${n}:${port}/postgres", labels: {role: shard}}`,
  );
}

/** Divides by zero on servers of these addresses, as a forgotten \`nullif\` does on an idle database. */
function cacheHits(idle = '127.0.2.13_'): string {
  return `select datname, 100 * blks_hit / (case when host(inet_server_addr()) like '${idle}' then 0 else greatest(blks_hit + blks_read, 1) end) as percent from pg_stat_database`;
}
