// Medians, ratios, tables and the JSON file of a benchmark.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../test/stack/repository.ts';

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** A table in Markdown, so that it can be put into bench/README.md as it is. */
export function markdownTable(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const text = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? formatNumber(cell) : cell)));
  const widths = header.map((title, column) =>
    Math.max(title.length, ...text.map((row) => (row[column] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(header), line(widths.map((width) => '-'.repeat(width))), ...text.map(line)].join('\n');
}

export function formatNumber(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** Prints the result and writes it as JSON below `.cache/bench`. */
export function report(name: string, table: string, data: unknown): void {
  const file = join(cacheFolder('bench'), `${name}.json`);
  writeFileSync(
    file,
    `${JSON.stringify({ name, at: new Date().toISOString(), versions: versions(), data }, null, 2)}\n`,
  );
  console.log(
    `\n## ${name}\n\n${table}\n\n${Object.entries(versions())
      .map(([tool, version]) => `${tool} ${version}`)
      .join(', ')}\nJSON: ${file}`,
  );
}

export function versions(): Readonly<Record<string, string>> {
  return { node: process.version, psql: ask('psql', ['--version']), kcat: ask('kcat', ['-V']) };
}

function ask(command: string, args: readonly string[]): string {
  try {
    const text = execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    return /(\d+\.\d+(\.\d+)?)/.exec(text)?.[1] ?? text.trim();
  } catch {
    return 'missing';
  }
}
