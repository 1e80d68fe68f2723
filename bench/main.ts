// `npm run bench [NAME …]`: measurements on a real Kafka and a real Postgres, pgtally next to what it replaces.
import { execFileSync } from 'node:child_process';

const BENCHMARKS: Readonly<Record<string, () => Promise<{ run(): Promise<void> }>>> = {
  bulk: () => import('./bulk.ts'),
  'bulk-wide': () => import('./bulk-wide.ts'),
  huge: () => import('./huge.ts'),
  cold: () => import('./cold.ts'),
  tick: () => import('./tick.ts'),
  fleet: () => import('./fleet.ts'),
  ledger: () => import('./ledger.ts'),
  ingest: () => import('./ingest.ts'),
  stream: () => import('./stream.ts'),
  page: () => import('./page.ts'),
};
/** Takes the pictures of docs/ anew. */
const ONLY_BY_NAME = new Set(['page']);

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !BENCHMARKS[name]);
if (unknown.length > 0) {
  console.error(
    `error: unknown benchmark ${unknown.join(', ')}\nhint: there are ${Object.keys(BENCHMARKS).join(', ')}`,
  );
  process.exit(2);
}
try {
  execFileSync('kcat', ['-V'], { stdio: 'ignore' });
  execFileSync('psql', ['--version'], { stdio: 'ignore' });
} catch {
  console.error(
    'error: the benchmarks compare with `psql | kcat`, and one of the two is missing\nhint: install them, on Debian: apt-get install postgresql-client kcat',
  );
  process.exit(2);
}
const all = Object.keys(BENCHMARKS).filter((name) => !ONLY_BY_NAME.has(name));
// Where it is set, every Node reads a file of certificates before its first line, 37 ms on Node 20. It is the machine's, and no
// contestant uses TLS.
delete process.env.NODE_EXTRA_CA_CERTS;
for (const name of wanted.length > 0 ? wanted : all) await (await BENCHMARKS[name]?.())?.run();
process.exit(0);
